// What the system calls an error.
#pragma once

#include <string>
#include <system_error>

namespace bulkhead::tool {

inline std::string describe_error(int error) { return std::generic_category().message(error); }

}  // namespace bulkhead::tool
