// A range of a memory file, mapped by Boost.Interprocess.
#pragma once

#include "os/memory_file.hpp"

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>

namespace bulkhead::ipc {

enum class Access { read_only, read_write };

/// Unmaps what it maps. Move-only. Left out of core dumps, and out of the children forked later.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(const os::MemoryFile& file, Access access, std::size_t offset, std::size_t size);

  std::byte* data() const noexcept { return static_cast<std::byte*>(region_.get_address()); }

 private:
  boost::interprocess::mapped_region region_;
};

}  // namespace bulkhead::ipc
