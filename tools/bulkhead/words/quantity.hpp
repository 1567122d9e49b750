// Amounts as people write them: durations, slots, sizes of escapes. No I/O; nullopt means: not such an amount.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::tool {

/// "250ms" "10s" "1m30s" "2h" "1.5" (a bare number is seconds). Never negative.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// "250ms", "30s", "1m30s", "2h", in the largest units that lose nothing.
std::string format_duration(std::chrono::milliseconds duration);
/// For people: "0.34 s", "12.3 s", "4 min 05 s".
std::string describe_duration(std::chrono::nanoseconds duration);

/// "4", "50%" of the cores, "+2" more than them, "-1" fewer; at least 1.
std::optional<std::size_t> parse_jobs(std::string_view text, std::size_t cores);

/// "1.5": digits with or without a point, never negative.
std::optional<double> parse_number(std::string_view text);

/// A whole number, decimal, nothing else around it.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// "4096" "512M" "2GiB" "1.5k" (powers of 1024), "10MB" (powers of 1000); upper or lower case.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// For people, with one decimal at most: "2.1 GiB", "512 KiB", "100 bytes".
std::string format_size(std::uint64_t bytes);

/// C escapes (\n \t \0 \x1f \033 \\ ...) turned into bytes; nullopt for one that C does not know.
std::optional<std::string> unescape(std::string_view text);

}  // namespace bulkhead::tool
