// The peers that need oneTBB; built only where it was found.
#pragma once

#include "peers.hpp"

namespace bench {

/// task_group with a task per item, and parallel_for that splits down to single items.
std::vector<Peer> tbb_peers();

}  // namespace bench
