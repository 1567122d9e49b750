// Whose child a process is.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

/// -1: there is no such process.
inline long parent_of(long pid) {
  char text[512] = {};
  const int file = ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  const ssize_t size = ::read(file, text, sizeof text - 1);
  ::close(file);
  const char* const name_end = size > 0 ? std::strrchr(text, ')') : nullptr;
  char state = 0;
  long parent = -1;
  return name_end != nullptr && std::sscanf(name_end + 1, " %c %ld", &state, &parent) == 2 ? parent : -1;
}
