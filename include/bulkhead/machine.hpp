// What the system underneath offers.
#pragma once

namespace bulkhead {

/// Whether processes can be watched by descriptors (pidfd), without which no work is done. Never fails.
bool has_process_descriptors() noexcept;

}  // namespace bulkhead
