// What a child writes to its standard error: passed on to ours, and its end kept.
#pragma once

#include "os/fd.hpp"

#include <cstddef>
#include <string>

namespace bulkhead::os {

class Tee {
 public:
  Tee() = default;
  /// Keeps the last `keep` bytes of what comes out of `from`.
  Tee(Fd from, std::size_t keep);

  enum class Passed { something, nothing_more, blocked };
  /// Passes on what can be read and written now; never waits. Blocked: nobody takes what we write to standard error, so
  /// the child will have to wait as it would without us.
  Passed pass_on();

  const Fd& from() const noexcept { return from_; }
  const std::string& tail() const noexcept { return tail_; }

 private:
  Fd from_;
  std::size_t keep_ = 0;
  std::string tail_;
};

/// In a child: from here on `fd` is its standard error.
void become_standard_error(Fd fd);

}  // namespace bulkhead::os
