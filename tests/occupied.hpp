// How much of a memory file there really is.
#pragma once

#include "catch.hpp"
#include "os/memory_file.hpp"

#include <sys/stat.h>

#include <cstddef>

inline std::size_t occupied_bytes(const bulkhead::os::MemoryFile& file) {
  constexpr std::size_t block = 512;
  struct stat status {};
  REQUIRE(::fstat(file.fd().get(), &status) == 0);
  return static_cast<std::size_t>(status.st_blocks) * block;
}
