// A frame of a backtrace in its parts: "count_symbols+0x41 (elf_symbols.cpp:88)".
#pragma once

#include <cstddef>
#include <string_view>

namespace bulkhead {

struct FrameText {
  std::string_view function;     // or the module, where the code has no name
  std::string_view with_offset;  // the same with its "+0x41": all but the source line
};

/// Of any text: one without an offset is a function as it stands.
inline FrameText parts_of_frame(std::string_view frame) noexcept {
  const std::size_t offset = frame.find("+0x");
  if (offset == std::string_view::npos) return {frame, frame};
  return {frame.substr(0, offset), frame.substr(0, frame.find(" (", offset))};
}

/// "libfoo.so+0x1c40", "program+0x10" and "0x7f12" name no function. Only libraries are told from functions by their
/// name.
inline bool names_a_function(const FrameText& frame) noexcept {
  return frame.function.find(".so") == std::string_view::npos && !frame.function.starts_with("0x");
}

}  // namespace bulkhead
