// The bytes of an item outside of a lane.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>

namespace bulkhead::ipc {

/// Those of a number or two take no memory of their own: tiny tasks are taken back by the thousand.
using ItemBytes = boost::container::small_vector<std::byte, 16>;

}  // namespace bulkhead::ipc
