// Loading shared objects.
#pragma once

#include <string>

namespace bulkhead::os {

/// Loads the object at `path` for good and returns the address of `symbol` in it. Null: `problem` says why, naming the
/// path. Where the object has a C++ runtime of its own, memory that is refused to it is told to this one's new-handler.
void* load_symbol(const std::string& path, const char* symbol, std::string& problem);

}  // namespace bulkhead::os
