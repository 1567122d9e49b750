// What the user can put right: names the option and the remedy. Ends the program with status 2.
#pragma once

#include <stdexcept>

namespace bulkhead::tool {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace bulkhead::tool
