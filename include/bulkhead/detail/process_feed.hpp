// From the caller's range to the engine: items, encoded where workers will read them.
#pragma once

#include <bulkhead/codec.hpp>
#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/item_source.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/options.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>

namespace bulkhead {

/// A range whose source may keep one waiting (a pipe, a socket) can say so, and is then never waited for alone: while
/// `ready()` is false the coordinator waits for `wait_descriptor()` to become readable together with its workers.
///
/// `ready()`: the next item, or the end, is there without blocking. It is asked again after each wait and may read what
/// has come. `wait_descriptor()`: a descriptor, or -1 where only the end of another task can change the answer.
template <class T>
concept WaitableInput = requires(T& range) {
  { range.ready() } -> std::convertible_to<bool>;
  { range.wait_descriptor() } -> std::convertible_to<int>;
};

namespace detail {

/// Feeds items to an engine: as many as it wants, none twice, and an exception of the range's only once all that came
/// before is done.
template <class Items>
class ProcessFeed {
 public:
  using Range = std::remove_reference_t<Items>;
  using Item = ItemOf<Items>;
  static_assert(Encodable<Item>, "the items must be something that cereal can serialize, and no pointers");

  /// An lvalue range is used where it is, an rvalue one is moved in.
  ProcessFeed(Items&& items, const WorkOptions& options)
      : items_(std::forward<Items>(items)), max_item_(options.max_item_bytes) {
    // Asked before begin(): a single-pass range may not know its size later.
    if constexpr (std::ranges::sized_range<Range>) size_ = static_cast<std::size_t>(std::ranges::size(items_));
  }
  ProcessFeed(const ProcessFeed&) = delete;  // iterators may point into the range
  ProcessFeed& operator=(const ProcessFeed&) = delete;

  /// Whether a next item can be had without anything else that might take long.
  static constexpr bool never_waits = elements_are_there<Range> && !WaitableInput<Range>;

  /// The number of items, where the range knows it beforehand.
  std::optional<std::size_t> size() const noexcept { return size_; }

  bool ended() const noexcept { return ended_; }
  std::uint64_t fed() const noexcept { return next_; }
  std::exception_ptr error() const noexcept { return error_; }

  /// Adds tasks while the engine and `may_feed(index)` want more. Returns what ProcessEngine::wait() should
  /// wait for besides the end of tasks.
  template <class MayFeed>
  int feed(ProcessEngine& engine, MayFeed&& may_feed) {
    try {
      while (!ended_) {
        if (!in_row()) {
          end_row(engine);  // before an item is pulled, which may take long
          if (!may_feed(next_) || engine.closed()) break;
        }
        if constexpr (waitable) {
          if (!offered_ && !items_.ready()) {
            end_row(engine);
            return what_to_wait_for(engine);
          }
        }
        if (!has_item() || !(in_row() || find_row(engine, may_feed)) || !add(engine)) break;
        if constexpr (numbers_in_a_row) go_on_in_row();
      }
      end_row(engine);
    } catch (...) {  // of the range's: iterating or encoding
      error_ = std::current_exception();
      ended_ = true;
      end_row(engine);
    }
    return ProcessEngine::no_input;
  }

 private:
  static constexpr bool waitable = WaitableInput<Range>;
  // An input that is read once may do so at any step, and cannot say when.
  static constexpr bool may_block = !std::ranges::forward_range<Range> && !waitable;
  // The loop over these is kept short: tasks of nanoseconds are made of them.
  static constexpr bool numbers_in_a_row = numbers_lie_in_a_row<Range> && !waitable;

  int what_to_wait_for(ProcessEngine& engine) {
    if (!engine.wants_task()) return ProcessEngine::no_input;
    const int descriptor = static_cast<int>(items_.wait_descriptor());
    return descriptor >= 0 ? descriptor : ProcessEngine::ask_again;
  }

  // Steps on only when the item before was taken: an item is pulled no sooner than there may be a place for it.
  bool has_item() {
    if (offered_) return true;
    if (!position_)
      position_.emplace(std::ranges::begin(items_));
    else
      ++*position_;
    ended_ = *position_ == std::ranges::end(items_);
    return offered_ = !ended_;
  }

  // Behind a number that was added: as many more as the row takes.
  void go_on_in_row() requires numbers_in_a_row {
    if (composed_ == 0 || !in_row()) return;
    constexpr std::size_t pitch = ItemRow::pitch(sizeof(Item));
    const auto places = static_cast<std::size_t>(row_.last - row_.place) / pitch + 1;
    const std::size_t most = std::min(row_.most - composed_, places);
    auto position = *position_;
    const auto end = std::ranges::end(items_);
    std::size_t added = 0;
    for (; added < most && !(ended_ = ++position == end); ++added) {
      const Item item = *position;
      std::memcpy(row_.place + added * pitch, &item, sizeof item);
    }
    *position_ = position;
    row_.place += added * pitch;
    composed_ += added;
    next_ += added;
    if (row_.place > row_.last) row_.most = composed_;
  }

  bool in_row() const noexcept { return composed_ < row_.most; }
  template <class MayFeed>
  bool find_row(ProcessEngine& engine, MayFeed& may_feed) {
    row_ = engine.row();
    if (row_.most > 1 && !may_feed(next_ + row_.most - 1)) row_.most = 1;
    if constexpr (may_block) row_.most = std::min<std::size_t>(row_.most, 1);
    return row_.most != 0;
  }
  void end_row(ProcessEngine& engine) {
    const bool something = composed_ != 0;
    hand_over(engine);
    row_.most = 0;
    if constexpr (may_block)
      if (something) engine.flush();
  }
  // What was composed. The row goes on behind it.
  void hand_over(ProcessEngine& engine) {
    const std::size_t count = std::exchange(composed_, 0);  // before a listener may throw: they are added once
    if (count == 0) return;
    row_.most -= count;
    row_.place += ItemRow::head;
    engine.add(next_ - count, count, row_size_);
  }

  bool add(ProcessEngine& engine) {
    using Reference = std::ranges::range_reference_t<Range>;
    if constexpr (std::same_as<std::remove_cvref_t<Reference>, Item>) {
      return add_item(engine, **position_);
    } else {
      return add_item(engine, static_cast<Item>(**position_));
    }
  }

  // False: there is no place for it now, and it is offered again after some task has ended.
  bool add_item(ProcessEngine& engine, const Item& item) {
    if (sizes_differ_) hand_over(engine);
    std::size_t size = 0;
    try {
      size = encode_into(std::span(row_.place, ItemRow::room), item);
    } catch (...) {
      return fail(engine, failure_from_current_exception(Ending::not_serializable));
    }
    if (size > max_item_)
      return fail(engine, Failure{.ending = Ending::too_large,
                                  .type = {},
                                  .what = too_large_words("item", size, "max_item_bytes", max_item_),
                                  .backtrace = {}});
    if (size > ItemRow::room) return add_large(engine, item, size);
    sizes_differ_ = size != row_size_;
    if (sizes_differ_ && composed_ != 0) {
      const std::byte* const there = row_.place;
      hand_over(engine);
      std::memmove(row_.place, there, size);
    }
    row_size_ = size;
    ++composed_;
    row_.place += ItemRow::pitch(size);
    if (row_.place > row_.last) row_.most = composed_;
    return took();
  }
  bool add_large(ProcessEngine& engine, const Item& item, std::size_t size) {
    hand_over(engine);
    const auto room = engine.large_room(size);
    if (room.empty()) return no_place(engine, size);
    try {
      encode_into(room, item);
    } catch (...) {
      return fail(engine, failure_from_current_exception(Ending::not_serializable));
    }
    row_.most = 0;
    engine.add_large(next_);
    if constexpr (may_block) engine.flush();
    return took();
  }
  bool no_place(ProcessEngine& engine, std::size_t size) {
    if (engine.outstanding() != 0) return false;
    return fail(engine, Failure{.ending = Ending::out_of_memory,
                                .type = {},
                                .what = "no shared memory for an item of " + std::to_string(size) + " bytes",
                                .backtrace = {}});
  }
  bool fail(ProcessEngine& engine, Failure failure) {
    hand_over(engine);
    --row_.most;  // so that the window and the engine are asked again
    engine.add_failed(next_, std::move(failure));
    return took();
  }
  bool took() noexcept {
    ++next_;
    offered_ = false;
    return true;
  }

  Items items_;
  std::uint64_t max_item_;
  std::optional<std::ranges::iterator_t<Range>> position_;
  std::uint64_t next_ = 0;
  ItemRow row_{};                            // place: of the next item
  std::size_t composed_ = 0, row_size_ = 0;  // items that are in it, and the bytes of each
  bool sizes_differ_ = false;                // as the last two did: the next item is given a row of its own at once
  bool offered_ = false;                     // the item at position_ waits for a place
  bool ended_ = false;
  std::exception_ptr error_;
  std::optional<std::size_t> size_;
};

}  // namespace detail
}  // namespace bulkhead
