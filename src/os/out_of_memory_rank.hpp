// Whom the kernel ends first when memory runs out for all.
#pragma once

#include "os/fd.hpp"

#include <array>

namespace bulkhead::os {

/// Lets it be the workers rather than their coordinator or who forks them. A process is born with the rank of its
/// parent: to take that rank for the moment of a fork costs a tenth of what it costs a newborn process to find the
/// file that says so.
class OutOfMemoryRank {
 public:
  OutOfMemoryRank();
  const Fd& fd() const noexcept { return file_; }

  /// While one lives, this process stands far ahead of where it usually does, and so do the children that it forks. Of
  /// a host that is spared, the workers are not. Does nothing where the kernel refuses.
  class Raised {
   public:
    explicit Raised(const OutOfMemoryRank& rank) noexcept;
    ~Raised();
    Raised(const Raised&) = delete;
    Raised& operator=(const Raised&) = delete;

   private:
    const OutOfMemoryRank& rank_;
  };

 private:
  Fd file_;                                  // stays open
  std::array<char, 16> usual_{}, raised_{};  // in digits, ended by a NUL: nothing is allocated
};

}  // namespace bulkhead::os
