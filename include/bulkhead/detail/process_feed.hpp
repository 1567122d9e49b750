// From the caller's range to the engine: items, encoded where workers will read them.
#pragma once

#include <bulkhead/codec.hpp>
#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/item_source.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/options.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
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
      room_ = nullptr;
      while (!ended_ && may_feed(next_) && (room_ != nullptr || !engine.closed())) {
        if constexpr (waitable) {
          if (!offered_ && !items_.ready()) return what_to_wait_for(engine);
        }
        if (!has_item() || !find_room(engine) || !add(engine)) break;
      }
    } catch (...) {  // of the range's: iterating or encoding
      error_ = std::current_exception();
      ended_ = true;
    }
    return ProcessEngine::no_input;
  }

 private:
  static constexpr bool waitable = WaitableInput<Range>;

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

  bool find_room(ProcessEngine& engine) {
    if (room_ == nullptr && engine.wants_task()) {
      room_ = engine.room().data();
      room_size_ = engine.room().size();
    }
    return room_ != nullptr;
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
    const std::span<std::byte> room(room_, room_size_);
    std::size_t size = 0;
    try {
      size = encode_into(room, item);
      if (size > max_item_) {
        engine.add_failed(next_, Failure{.ending = Ending::too_large,
                                         .type = {},
                                         .what = too_large_words("item", size, "max_item_bytes", max_item_),
                                         .backtrace = {}});
        return took();
      }
      if (size > room.size()) {
        const auto large = engine.large_room(size);
        if (large.empty()) return no_place(engine, size);
        encode_into(large, item);
      }
    } catch (...) {
      engine.add_failed(next_, failure_from_current_exception(Ending::not_serializable));
      return took();
    }
    room_ = engine.add(next_, size);
    // An input that is read once may block at any step, and cannot say so.
    if constexpr (!std::ranges::forward_range<Range> && !waitable) {
      engine.flush();
      room_ = nullptr;
    }
    return took();
  }
  bool no_place(ProcessEngine& engine, std::size_t size) {
    if (engine.outstanding() != 0) return false;
    engine.add_failed(next_, Failure{.ending = Ending::out_of_memory,
                                     .type = {},
                                     .what = "no shared memory for an item of " + std::to_string(size) + " bytes",
                                     .backtrace = {}});
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
  std::byte* room_ = nullptr;  // of the next item; null: to be asked for
  std::size_t room_size_ = 0;
  bool offered_ = false;  // the item at position_ waits for a place
  bool ended_ = false;
  std::exception_ptr error_;
  std::optional<std::size_t> size_;
};

}  // namespace detail
}  // namespace bulkhead
