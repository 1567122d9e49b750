// Names for addresses of this process' code: what the dynamic linker knows, and what the files' own tables add.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::os {

/// One for each address, and fewer where memory ran out: "count_symbols+0x41 (elf_symbols.cpp:88)", without the line
/// where the file has no debug information or is the C library (of inlined code the line is its own, the function the
/// one it was inlined into); "libfoo.so+0x1c40" where the code has no name; "0x7f..." where there is no code. Static
/// functions are found where the file was not stripped. Allocates and reads files, and believes those that are not as
/// they were loaded nothing: for a healthy process. Never throws.
std::vector<std::string> frame_names(std::span<const std::uint64_t> addresses) noexcept;

/// Gives back what was read of files, megabytes where they have debug information: every child that is forked later
/// would pay for them. Names that were asked for stay known, and the files are read again where a new one is.
void close_debug_information() noexcept;

}  // namespace bulkhead::os
