#include "command_line/option_values.hpp"

#include "words/quantity.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

namespace bulkhead::tool {

void refuse(std::string_view option, const std::string& value, std::string_view remedy) {
  throw UsageError(fmt::format("{}: \"{}\" will not do; {}", option, value, remedy));
}

std::chrono::milliseconds duration(std::string_view option, const std::string& text) {
  if (text.empty()) return std::chrono::milliseconds(0);
  const auto parsed = parse_duration(text);
  if (!parsed) refuse(option, text, "write a duration like 250ms, 10s, 1m30s or 2h");
  return *parsed;
}

std::uint64_t size(const WrittenOptions& words, std::string_view option, const std::string& text) {
  if (!words.given(option)) return 0;
  const auto parsed = parse_size(text);
  if (!parsed) refuse(option, text, "write a size like 4096, 512M, 2GiB or 100MB");
  if (*parsed == 0) refuse(option, text, "leave the option out for no limit");
  return *parsed;
}

std::uint64_t count(const WrittenOptions& words, std::string_view option, const std::string& text,
                    std::uint64_t otherwise, std::uint64_t least, std::uint64_t most) {
  if (!words.given(option)) return otherwise;
  const auto parsed = parse_count(text);
  if (!parsed || *parsed < least || *parsed > most)
    refuse(option, text, fmt::format("write a whole number from {} to {}", least, most));
  return *parsed;
}

}  // namespace bulkhead::tool
