// A name for this run, unlike that of any other.
#pragma once

#include <string>

namespace bulkhead::tool {

/// The UTC time and 48 random bits: "20240131T235959-0123456789ab". Sorts by time.
std::string make_run_id();

}  // namespace bulkhead::tool
