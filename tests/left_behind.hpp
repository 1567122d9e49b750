// What a test must not leave: children, zombies, descriptors, names in /dev/shm.
#pragma once

#include "catch.hpp"

#include <dirent.h>
#include <sys/wait.h>

#include <cerrno>
#include <set>
#include <string>

inline std::set<std::string> names_in(const char* folder) {
  std::set<std::string> names;
  DIR* const dir = ::opendir(folder);
  if (!dir) return names;
  const std::string own = std::to_string(::dirfd(dir));
  while (const dirent* entry = ::readdir(dir))
    if (entry->d_name != own) names.insert(entry->d_name);
  ::closedir(dir);
  return names;
}

/// Notes what there is when it is made, and requires at its end that nothing was added.
class NothingLeftBehind {
 public:
  NothingLeftBehind() : descriptors_(names_in("/proc/self/fd")), shared_memory_(names_in("/dev/shm")) {}
  ~NothingLeftBehind() {
    CHECK(names_in("/proc/self/fd") == descriptors_);
    CHECK(names_in("/dev/shm") == shared_memory_);
    siginfo_t info{};
    const int waited = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
    CHECK((waited == -1 && errno == ECHILD));
  }

 private:
  std::set<std::string> descriptors_, shared_memory_;
};
