// Arbitrary bytes as a worker's pipe, ring and page: see frame_harness.hpp.
#include "fuzz/frame_harness.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read_frames({data, size});
  return 0;
}
