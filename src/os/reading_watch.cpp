#include "os/reading_watch.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

namespace bulkhead::os {

ReadingWatch::ReadingWatch(int pid) {
  Fd file(::open(("/proc/" + std::to_string(pid) + "/syscall").c_str(), O_RDONLY | O_CLOEXEC));
  if (file) state_ = above_standard_streams(std::move(file));
}

// "NUMBER 0xARGUMENT ..." in a system call, "running" else.
bool ReadingWatch::is_reading() const noexcept {
  if (!state_) return false;
  static const std::string reading = std::to_string(SYS_read) + " 0x0 ";
  constexpr int looks = 3;  // mostly it is on its way there, and may want our processor for it
  for (int i = 0; i < looks; ++i) {
    if (i > 0) ::sched_yield();
    char text[256];
    const ssize_t size = ::pread(state_.get(), text, sizeof text, 0);
    if (size <= 0) return false;
    if (std::string_view(text, static_cast<std::size_t>(size)).starts_with(reading)) return true;
  }
  return false;
}

}  // namespace bulkhead::os
