#include "os/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace bulkhead::os {

namespace {

// The kernel gives such a file by whole lines or words, as many as fit: where half is left free, no more came.
bool is_all(std::size_t read, std::size_t room) noexcept { return read <= room / 2; }

}  // namespace

std::string read_small_file(const std::string& path) {
  return read_small_file(Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
}

std::string read_small_file(const Fd& file) {
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t n = file ? ::pread(file.get(), chunk.data(), chunk.size(), static_cast<off_t>(text.size())) : 0;
    if (n <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (is_all(static_cast<std::size_t>(n), chunk.size())) return text;
  }
}

std::optional<std::string_view> read_small_file(const Fd& file, std::span<char> room) {
  const ssize_t n = file ? ::pread(file.get(), room.data(), room.size(), 0) : -1;
  if (n < 0 || !is_all(static_cast<std::size_t>(n), room.size())) return std::nullopt;
  return std::string_view(room.data(), static_cast<std::size_t>(n));
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view label) {
  for (std::size_t at = 0; at < text.size();) {
    std::string_view line = text.substr(at, text.find('\n', at) - at);
    at += line.size() + 1;
    if (!line.starts_with(label)) continue;
    line.remove_prefix(std::min(line.size(), line.find_first_of("0123456789", label.size())));
    std::uint64_t number = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), number).ec == std::errc()) return number;
  }
  return std::nullopt;
}

}  // namespace bulkhead::os
