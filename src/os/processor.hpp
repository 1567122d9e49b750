// What this processor can do.
#pragma once

namespace bulkhead::os {

/// Whether it has SSE4.2, and with it an instruction for CRC-32C. False on other processors than x86. May be asked
/// before main().
bool has_sse4_2() noexcept;

}  // namespace bulkhead::os
