// Items out of any input range, one at a time, in the thread that asks.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace bulkhead::detail {

template <class Items>
using ItemOf = std::ranges::range_value_t<std::remove_reference_t<Items>>;

/// Going on in the range takes no time and cannot fail.
template <class Range>
inline constexpr bool elements_lie_in_a_row = std::ranges::contiguous_range<Range>;
template <std::integral Number, class Bound>
inline constexpr bool elements_lie_in_a_row<std::ranges::iota_view<Number, Bound>> = true;
template <class Range>
inline constexpr bool elements_lie_in_a_row<const Range> = elements_lie_in_a_row<Range>;

/// Going on in the range takes no time to speak of: its elements exist already, or are numbers. What is made at each
/// step (by a view's function, a generator) may take long, or wait for results of the work itself.
template <class Range>
inline constexpr bool elements_are_there = elements_lie_in_a_row<Range> ||
                                           (std::ranges::forward_range<Range> &&
                                            std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>>);
template <class Range>
inline constexpr bool elements_are_there<const Range> = elements_are_there<Range>;

/// Numbers that exist already come by the million: loops over them are kept short.
template <class Range>
inline constexpr bool numbers_lie_in_a_row =
    elements_lie_in_a_row<Range>&& std::is_arithmetic_v<std::ranges::range_value_t<Range>>;

/// Pulls the items of a range. `Items` as deduced for a forwarding reference: an lvalue range is used where it is, an
/// rvalue one is moved in. Not movable, since iterators may point into it.
template <class Items>
class ItemSource {
 public:
  using Range = std::remove_reference_t<Items>;
  using Item = ItemOf<Items>;

  explicit ItemSource(Items&& items) : items_(std::forward<Items>(items)) {
    // Asked before begin(): a single-pass range may not know its size later.
    if constexpr (std::ranges::sized_range<Range>) size_ = static_cast<std::size_t>(std::ranges::size(items_));
  }
  ItemSource(const ItemSource&) = delete;
  ItemSource& operator=(const ItemSource&) = delete;

  /// The number of items, where the range knows it beforehand.
  std::optional<std::size_t> size() const noexcept { return size_; }

  /// The next item, or nullopt at the end. Lets through what the range throws, and is at its end after that. The
  /// iterator is moved on no sooner than the next item is asked for: a generator runs no further than needed.
  std::optional<Item> next() {
    if (at_end_) return std::nullopt;
    at_end_ = true;  // until proven otherwise: every statement below may throw
    if (at_) {
      ++*at_;
    } else {
      at_.emplace(std::ranges::begin(items_));
    }
    if (*at_ == std::ranges::end(items_)) return std::nullopt;
    std::optional<Item> item(take());
    at_end_ = false;
    return item;
  }

  /// The next ones: each is handed to put(item), at most `most` of them. Returns how many there were.
  template <class Put>
  std::size_t next(std::size_t most, Put&& put) requires numbers_lie_in_a_row<Range> {
    if (at_end_ || most == 0) return 0;
    auto at = at_ ? std::ranges::next(*at_) : std::ranges::begin(items_);
    const auto end = std::ranges::end(items_);
    std::size_t count = 0;
    for (; count < most && at != end; ++count, ++at) put(static_cast<Item>(*at));
    at_end_ = count < most;
    if (count != 0) at_.emplace(std::ranges::prev(at));
    return count;
  }

 private:
  // Elements are moved out of a container that was given away, not out of one that a view only looks at. What cannot
  // be copied is moved out of a single-pass range too: nobody can come by again.
  static constexpr bool given_away = !std::is_lvalue_reference_v<Items> && !std::ranges::view<Range>;
  static constexpr bool moves = given_away || (!std::ranges::forward_range<Range> && !std::copy_constructible<Item>);

  Item take() {
    if constexpr (moves) {
      return static_cast<Item>(std::ranges::iter_move(*at_));
    } else {
      return static_cast<Item>(**at_);
    }
  }

  Items items_;
  std::optional<std::ranges::iterator_t<Range>> at_;
  std::optional<std::size_t> size_;
  bool at_end_ = false;
};

}  // namespace bulkhead::detail
