// A fuzzer's bytes as a script: numbers and stretches of bytes are taken from its front until there are none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

namespace fuzz {

/// What a harness throws where an invariant does not hold: a fuzzer ends there, a test fails.
class Violation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool holds, const char* invariant) {
  if (!holds) throw Violation(std::string("violated: ") + invariant);
}

class Script {
 public:
  explicit Script(std::span<const std::uint8_t> bytes) : left_(std::as_bytes(bytes)) {}

  bool done() const noexcept { return left_.empty(); }
  /// Zeros stand in for what is missing.
  template <class Number>
  Number number() noexcept {
    Number value = 0;
    const auto bytes = stretch(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  std::span<const std::byte> stretch(std::size_t most) noexcept {
    const auto taken = left_.first(std::min(most, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  std::span<const std::byte> rest() noexcept { return stretch(left_.size()); }

 private:
  std::span<const std::byte> left_;
};

}  // namespace fuzz
