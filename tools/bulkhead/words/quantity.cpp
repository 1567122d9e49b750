#include "words/quantity.hpp"

#include "words/as_number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace bulkhead::tool {

namespace {

struct Unit {
  std::string_view name;
  double milliseconds;
};
constexpr std::array<Unit, 5> units{{{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
constexpr double longest = 1e14;  // three thousand years, and sums stay far from overflow

// Takes "12", "12.5" or ".5" from the front; no sign, no exponent. Not by std::from_chars, which brings libm along.
std::optional<double> take_number(std::string_view& text) {
  constexpr double most = 1e300, finest = 1e15;
  double number = 0, scale = 1;
  std::size_t length = 0, digits = 0, points = 0;
  for (; length < text.size(); ++length) {
    const char c = text[length];
    if (c == '.') {
      if (++points > 1) return std::nullopt;
    } else if (c < '0' || c > '9') {
      break;
    } else if (++digits; points == 0 || scale < finest) {
      number = number * 10 + (c - '0');
      scale *= points == 0 ? 1 : 10;
    }
  }
  if (digits == 0 || number > most) return std::nullopt;
  text.remove_prefix(length);
  return number / scale;
}

std::uint64_t to_nearest(double number) noexcept {
  const auto whole = static_cast<std::uint64_t>(number);
  return number - static_cast<double>(whole) < 0.5 ? whole : whole + 1;
}

std::optional<double> take_unit(std::string_view& text) {
  const std::size_t length = std::min(text.find_first_of("0123456789."), text.size());
  const std::string_view name = text.substr(0, length);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    text.remove_prefix(length);
    return unit.milliseconds;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  double total = 0;
  for (bool first = true; first || !text.empty(); first = false) {
    const std::optional<double> number = take_number(text);
    if (!number) return std::nullopt;
    const bool bare = first && text.empty();
    const std::optional<double> unit = bare ? 1e3 : take_unit(text);
    if (!unit) return std::nullopt;
    total += *number * *unit;
    if (!(total < longest)) return std::nullopt;
  }
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double, std::milli>(total));
}

std::string format_duration(std::chrono::milliseconds duration) {
  auto left = duration.count();
  if (left == 0) return "0s";
  std::string text;
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    const auto size = static_cast<std::int64_t>(unit->milliseconds);
    if (left < size) continue;
    text += fmt::format("{}{}", left / size, unit->name);
    left %= size;
  }
  return text;
}

std::string describe_duration(std::chrono::nanoseconds duration) {
  const double seconds = as_seconds(duration);
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::optional<double> parse_number(std::string_view text) {
  const auto number = take_number(text);
  return text.empty() ? number : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view prefixes = "kmgtp";
  const std::optional<double> number = take_number(text);
  if (!number) return std::nullopt;
  std::string unit(text);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  double size = *number;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = prefixes.find(unit.front());
    const std::string rest = unit.substr(1);
    if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib")) return std::nullopt;
    for (std::size_t i = 0; i <= power; ++i) size *= rest == "b" ? 1000.0 : 1024.0;
  }
  if (!(size < 9e18)) return std::nullopt;
  return to_nearest(size);
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> names{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double size = static_cast<double>(bytes) / 1024;
  std::size_t name = 0;
  for (; size >= 1024 && name + 1 < names.size(); ++name) size /= 1024;
  const std::uint64_t tenths = to_nearest(size * 10);
  if (tenths % 10 == 0) return fmt::format("{} {}", tenths / 10, names[name]);
  return fmt::format("{}.{} {}", tenths / 10, tenths % 10, names[name]);
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::size_t> parse_jobs(std::string_view text, std::size_t cores) {
  constexpr std::uint64_t most = 1 << 16;
  const char sign = text.empty() ? '\0' : text.front();
  const bool relative = sign == '+' || sign == '-';
  const bool percent = !relative && !text.empty() && text.back() == '%';
  if (relative) text.remove_prefix(1);
  if (percent) text.remove_suffix(1);
  const std::optional<std::uint64_t> number = parse_count(text);
  if (!number || *number > most) return std::nullopt;
  if (percent) return std::max<std::size_t>(1, (cores * *number + 50) / 100);
  if (sign == '+') return cores + *number;
  if (sign == '-') return *number < cores ? cores - *number : 1;
  return *number > 0 ? std::optional<std::size_t>(*number) : std::nullopt;
}

namespace {

std::optional<char> simple_escape(char c) {
  constexpr std::string_view letters = "abfnrtv\\'\"?", meanings = "\a\b\f\n\r\t\v\\'\"?";
  const std::size_t at = letters.find(c);
  return at == std::string_view::npos ? std::nullopt : std::optional<char>(meanings[at]);
}

// Takes the digits of "\x1f" or "\033", the introducing characters already gone.
std::optional<char> numeric_escape(std::string_view& text, int base, std::size_t most_digits) {
  unsigned number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + std::min(most_digits, text.size()), number, base);
  if (error != std::errc() || number > 255) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return static_cast<char>(number);
}

}  // namespace

std::optional<std::string> unescape(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    bytes += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
    std::optional<char> byte = simple_escape(text.front());
    if (byte) {
      text.remove_prefix(1);
    } else if (text.front() == 'x') {
      text.remove_prefix(1);
      byte = numeric_escape(text, 16, 2);
    } else {
      byte = numeric_escape(text, 8, 3);
    }
    if (!byte) return std::nullopt;
    bytes += *byte;
  }
  return bytes;
}

}  // namespace bulkhead::tool
