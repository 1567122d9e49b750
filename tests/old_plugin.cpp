// A plugin as version 1 of the interface had it.
#include <cstddef>
#include <cstdint>

namespace {
struct FunctionOfVersion1 {
  std::uint32_t version;
  const char* name;
  int (*call)(const char*, std::size_t, void (*)(void*, const char*, std::size_t), void*);
  const FunctionOfVersion1* next;
};
const FunctionOfVersion1 only{1, "old", nullptr, nullptr};
}  // namespace

extern "C" const FunctionOfVersion1* bulkhead_plugin_functions() { return &only; }
