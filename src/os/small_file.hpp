// Files of /proc and of control groups.
#pragma once

#include "os/fd.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bulkhead::os {

/// All that the file holds; empty where it cannot be read.
std::string read_small_file(const std::string& path);
/// The same of an open one, from its beginning: what the kernel says now.
std::string read_small_file(const Fd& file);
/// The same in one read into `room`, without other memory. Nothing: it cannot be read, or there may be more of it.
std::optional<std::string_view> read_small_file(const Fd& file, std::span<char> room);

/// The number behind `label` at the beginning of a line.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view label);

}  // namespace bulkhead::os
