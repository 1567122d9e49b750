// `bulkhead doctor`: what this machine offers, and what that means.
#pragma once

#include <string>

namespace bulkhead::tool {

/// A line for each thing that was looked at: what it is, and what follows from it.
std::string diagnosis();

}  // namespace bulkhead::tool
