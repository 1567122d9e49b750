// A plugin for `bulkhead call`: bulkhead call ./square_plugin.so ::: 1 2 3
#include <bulkhead/plugin.hpp>

namespace {

long square(long x) {
  long result = 0;
  if (__builtin_mul_overflow(x, x, &result)) throw std::overflow_error("the square does not fit into 64 bits");
  return result;
}

}  // namespace

BULKHEAD_FUNCTION(square, square)
