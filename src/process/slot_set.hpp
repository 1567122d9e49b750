// A set of worker slots in which the next one is found without looking at the others.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace bulkhead::process {

class SlotSet {
 public:
  explicit SlotSet(std::size_t slots) : words_((slots + bits - 1) / bits) {}

  void insert(std::size_t slot) noexcept { words_[slot / bits] |= bit(slot); }
  void erase(std::size_t slot) noexcept { words_[slot / bits] &= ~bit(slot); }
  /// The first one from `slot` on. Nothing: there is none.
  std::optional<std::size_t> next(std::size_t slot) const noexcept {
    for (std::size_t word = slot / bits; word < words_.size(); ++word) {
      const std::uint64_t wanted = word == slot / bits ? words_[word] & ~(bit(slot) - 1) : words_[word];
      if (wanted != 0) return word * bits + static_cast<std::size_t>(std::countr_zero(wanted));
    }
    return std::nullopt;
  }

 private:
  static constexpr std::size_t bits = 64;
  static constexpr std::uint64_t bit(std::size_t slot) noexcept { return std::uint64_t{1} << slot % bits; }

  std::vector<std::uint64_t> words_;
};

}  // namespace bulkhead::process
