// A range of a memory file, mapped by Boost.Interprocess.
#pragma once

#include "os/memory_file.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace boost::interprocess {
class mapped_region;
}

namespace bulkhead::ipc {

enum class Access { read_only, read_write };

/// Unmaps what it maps. Move-only. Left out of core dumps, and out of the children forked later.
class Mapping {
 public:
  Mapping() noexcept;
  Mapping(const os::MemoryFile& file, Access access, std::size_t offset, std::size_t size);
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  std::byte* data() const noexcept { return data_; }

 private:
  std::unique_ptr<boost::interprocess::mapped_region> region_;
  std::byte* data_ = nullptr;
};

}  // namespace bulkhead::ipc
