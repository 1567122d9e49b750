// Child processes of a peer's own: workers that a peer is made of, and measurements that want a fresh process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace bench {

/// Forked processes that are killed and reaped at the end, however that comes.
class Children {
 public:
  Children() = default;
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  /// Forks a process that runs `body` and leaves. Throws std::runtime_error where it cannot.
  void start(const std::function<void()>& body);

 private:
  std::vector<pid_t> pids_;
};

/// Runs `body(i)` in `count` processes at once and returns what each returned. An exception in one comes out here as
/// std::runtime_error with its words; so does a process that died.
std::vector<std::vector<double>> in_children(std::size_t count,
                                             const std::function<std::vector<double>(std::size_t)>& body);

/// What a child says at the end of its work: what `body` returned, or the words of what it threw.
void send_answer(int fd, const std::function<std::vector<double>()>& body);
/// Throws std::runtime_error with these words, or where the child died.
std::vector<double> receive_answer(int fd);

/// The most physical memory that a process has used so far, in MiB: VmHWM of /proc. 0 when it has gone.
double peak_mib(pid_t pid);

}  // namespace bench
