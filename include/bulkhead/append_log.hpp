// A log that survives its writer: whole lines only, one writer at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace bulkhead {

/// A file to which lines are appended, each by one write at the moment it is known. Move-only; one thread at a time.
class AppendLog {
 public:
  /// Opens or creates the file (of a pipe: waits for its reader) and locks it until this object and every process
  /// forked meanwhile have ended. Throws std::system_error naming the file; its code is resource_unavailable_try_again
  /// where another run holds the lock.
  explicit AppendLog(const std::string& path);
  AppendLog(AppendLog&& other) noexcept;
  AppendLog& operator=(AppendLog&& other) noexcept;
  ~AppendLog();

  const std::string& path() const noexcept { return path_; }
  std::uint64_t size() const;
  /// At most `limit` bytes from its beginning.
  std::string head(std::size_t limit) const;
  /// Cuts what follows the last line for which `whole` is true (given without its newline), so that a line that a
  /// dying writer left half-written is not continued. Reads from the end, and no further than it has to.
  void cut_torn_tail(const std::function<bool(std::string_view)>& whole);
  /// Throws std::system_error naming the file; then a part may have been written, and nothing should follow.
  void append(std::string_view line);
  /// Throws std::system_error where the path does not lead to this file any more: nobody would find what was written.
  void check_in_place() const;

 private:
  [[noreturn]] void fail(const char* verb) const;

  std::string path_;
  int descriptor_;
};

}  // namespace bulkhead
