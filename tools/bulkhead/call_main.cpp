// bulkhead-call: what `bulkhead call` becomes. It loads plugins, and so has a dynamic linker.
#include "runs/call.hpp"
#include "runs/program_frame.hpp"

int main(int argc, char** argv) {
  return bulkhead::tool::framed("bulkhead", [&] { return bulkhead::tool::call({argv + 1, argv + argc}); });
}
