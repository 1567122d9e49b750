// Names for addresses of this process' code: what the dynamic linker knows, and what the files' own tables add.
#pragma once

#include <cstdint>
#include <string>

namespace bulkhead::os {

/// "count_symbols+0x41", or "libfoo.so+0x1c40" where the code has no name, or "0x7f..." where there
/// is no code. Static functions are found where the file was not stripped. Allocates and reads files: for a healthy
/// process. Never throws.
std::string frame_name(std::uint64_t address) noexcept;

}  // namespace bulkhead::os
