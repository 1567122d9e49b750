// The outcomes of a whole run, each at its place, as they come.
#pragma once

#include <bulkhead/detail/caller_memory.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// Numbers that lie at equal distances and ended alike: an iterator over so many.
template <PlainNumber R>
class SettledNumbers {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = SettledNumber<R>;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = SettledNumber<R>;

  SettledNumbers() = default;
  SettledNumbers(const std::byte* first, std::size_t stride, std::size_t count, const PackedStats& stats) noexcept
      : at_(first), stride_(stride), left_(count), stats_(stats) {}
  SettledNumber<R> operator*() const noexcept {
    SettledNumber<R> number{{}, stats_};
    std::memcpy(&number.value, at_, sizeof number.value);
    return number;
  }
  SettledNumbers& operator++() noexcept {
    at_ += stride_;
    --left_;
    return *this;
  }
  SettledNumbers operator++(int) noexcept {
    SettledNumbers before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const SettledNumbers& a, const SettledNumbers& b) noexcept { return a.left_ == b.left_; }

 private:
  const std::byte* at_ = nullptr;
  std::size_t stride_ = 0, left_ = 0;
  PackedStats stats_;
};

/// Memory for all of them is taken before the first comes, where it is known how many there will be; it is touched as
/// they come, and workers do not inherit it. What comes in its turn is constructed where it stays.
template <class R>
class KeptOutcomes {
 public:
  explicit KeptOutcomes(std::optional<std::size_t> count) {
    if (!count) return;
    all_.reserve(std::max(*count, huge_size(*count * sizeof(Outcome<R>)) / sizeof(Outcome<R>)));
    memory_ = CallerMemory(all_.data(), all_.capacity() * sizeof(Outcome<R>));
  }

  std::size_t size() const noexcept { return all_.size(); }
  void put(std::size_t place, Outcome<R>&& outcome) {
    if (place == all_.size()) return all_.push_back(std::move(outcome));
    *room(place, 1) = std::move(outcome);
  }
  template <std::same_as<R> Number>
  void put(std::size_t place, std::size_t count, const SettledNumbers<Number>& numbers) {
    if (place == all_.size())
      all_.insert(all_.end(), numbers, SettledNumbers<Number>());
    else
      std::copy(numbers, SettledNumbers<Number>(), room(place, count));
  }
  /// Those that are missing are abandoned.
  void resize(std::size_t count) { all_.resize(count); }

  std::vector<Outcome<R>> take() { return std::move(all_); }

 private:
  auto room(std::size_t place, std::size_t count) {
    if (place + count > all_.size()) all_.resize(place + count);
    return all_.begin() + static_cast<std::ptrdiff_t>(place);
  }

  std::vector<Outcome<R>> all_;
  CallerMemory memory_;
};

}  // namespace bulkhead::detail
