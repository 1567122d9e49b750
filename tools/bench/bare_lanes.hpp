// The floor that the library's queue is compared with: lanes without a library.
#pragma once

#include "peers.hpp"

#include <cstddef>

namespace bench {

/// Worker processes that read descriptors from lanes they map read-only, note the one in hand in a page of their own
/// with a full fence before each task, compose results in an outbox and write it to a pipe in batches. Everything a
/// product adds is left out: no encoding, no outcomes, no checksums, no taking back, no deaths, one size, result memory
/// touched before the clock starts. Every result is checked.
Peer bare_lanes(std::size_t tasks);

}  // namespace bench
