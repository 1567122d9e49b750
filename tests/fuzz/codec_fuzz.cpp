// Arbitrary bytes as results: see codec_harness.hpp. What is allocated is counted by the sanitizer's hooks.
#include "fuzz/codec_harness.hpp"

#include <sanitizer/allocator_interface.h>

#include <cstddef>
#include <cstdint>

namespace {
std::size_t counted = 0;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t size) { counted += size; },
                                            [](const volatile void*) {});
  fuzz::allocated = []() noexcept { return counted; };
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read_values({data, size});
  return 0;
}
