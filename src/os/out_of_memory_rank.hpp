// Whom the kernel ends first when memory runs out for all.
#pragma once

#include "os/fd.hpp"

#include <string>

namespace bulkhead::os {

/// Lets it be the workers rather than their coordinator or who forks them. A process is born with the rank of its
/// parent: to take that rank for the moment of a fork costs a tenth of what it costs a newborn process to find the
/// file that says so.
class OutOfMemoryRank {
 public:
  OutOfMemoryRank();
  const Fd& fd() const noexcept { return file_; }

  /// While one lives, children are born far ahead of this process, which stands there as well. Does nothing where the
  /// kernel refuses.
  class First {
   public:
    explicit First(const OutOfMemoryRank& rank) noexcept;
    ~First();
    First(const First&) = delete;
    First& operator=(const First&) = delete;

   private:
    const OutOfMemoryRank& rank_;
  };

 private:
  Fd file_;  // stays open
  std::string usual_, first_;
};

}  // namespace bulkhead::os
