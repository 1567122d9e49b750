// Brings cereal and rapidjson, set up as cereal's own JSON archives want it: these may stand in the same program.
#pragma once

#include <cereal/archives/json.hpp>

namespace bulkhead::detail {

#ifdef CEREAL_RAPIDJSON_NAMESPACE
namespace rapid = CEREAL_RAPIDJSON_NAMESPACE;
#else
namespace rapid = RAPIDJSON_NAMESPACE;  // a cereal that was packaged to use the system's
#endif

}  // namespace bulkhead::detail
