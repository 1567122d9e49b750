// Values of options, read; or refused in words that name the option and the remedy.
#pragma once

#include "command_line/option_table.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace bulkhead::tool {

/// Throws UsageError.
[[noreturn]] void refuse(std::string_view option, const std::string& value, std::string_view remedy);
/// 0 for an empty text.
std::chrono::milliseconds duration(std::string_view option, const std::string& text);
/// In bytes; 0 where the option was not given, and never else.
std::uint64_t size(const WrittenOptions& words, std::string_view option, const std::string& text);

/// A whole number from `least` to `most`; `otherwise` where the option was not given.
std::uint64_t count(const WrittenOptions& words, std::string_view option, const std::string& text,
                    std::uint64_t otherwise, std::uint64_t least, std::uint64_t most);

template <class T>
T one_of(std::string_view option, const std::string& text,
         std::initializer_list<std::pair<std::string_view, T>> choices, T otherwise) {
  if (text.empty()) return otherwise;
  std::string all;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  refuse(option, text, "choose one of " + all);
}

}  // namespace bulkhead::tool
