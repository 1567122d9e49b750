// do_process_work and process_stream: the typed side of the process executor.
#pragma once

#include <bulkhead/codec.hpp>
#include <bulkhead/detail/caller_memory.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/detail/reorder.hpp>
#include <bulkhead/detail/task_function.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

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

template <class Items, class F>
using WorkResult = TaskResult<std::remove_reference_t<F>, std::ranges::range_value_t<std::views::all_t<Items>>>;

std::string too_large_words(const char* what, std::size_t size, const char* limit_name, std::uint64_t limit);

/// Decode, call, encode: what a worker does with an item. Refers to the function or owns it (F a value or reference).
template <class Item, class R, class F>
class CodedTask final : public TaskBody {
 public:
  CodedTask(F func, std::uint64_t max_result_bytes) : func_(std::forward<F>(func)), max_result_(max_result_bytes) {}

  bool takes_stop_token() const noexcept override { return StoppableFunction<F, Item>; }

  void run(std::span<const std::byte> bytes, ResultSlot& result) override {
    try {
      Item item = decode<Item>(bytes);
      ending_ = Ending::exception;
      if constexpr (std::is_void_v<R>) {
        invoke_task(func_, std::move(item), stop_token());
      } else {
        const R value = invoke_task(func_, std::move(item), stop_token());
        ending_ = Ending::not_serializable;
        encode(value, result);
      }
    } catch (...) {
      result.failure = failure_from_current_exception(ending_);
    }
    ending_ = Ending::not_serializable;
  }

 private:
  static std::stop_token stop_token() noexcept {
    if constexpr (StoppableFunction<F, Item>) return worker_stop_token();
    return {};
  }
  template <class Value>
  void encode(const Value& value, ResultSlot& result) {
    result.size = encode_into(result.room, value);
    if (result.size > max_result_) {
      result.failure.emplace().ending = Ending::too_large;
      result.failure->what = too_large_words("result", result.size, "max_result_bytes", max_result_);
    } else if (result.size > result.room.size()) {
      result.overflow.resize(result.size);
      encode_into(result.overflow, value);
    }
  }

  F func_;
  std::uint64_t max_result_;
  Ending ending_ =
      Ending::not_serializable;  // what an exception would mean at this stage: an item that does not decode
};

/// The outcome that a completion stands for. Decoding happens here, in the caller, never in the coordinator's loop.
template <class R>
Outcome<R> outcome_of(Completion& done) {
  if (done.failure) return Outcome<R>(std::move(*done.failure), done.stats.unpack());
  try {
    if constexpr (std::is_void_v<R>) {
      return Outcome<R>(done.stats.unpack());
    } else {
      return Outcome<R>(decode<R>(done.bytes()), done.stats);
    }
  } catch (...) {
    return Outcome<R>(failure_from_current_exception(Ending::protocol_error), done.stats.unpack());
  }
}

/// Feeds items to an engine: as many as it wants, none twice, and an exception of the range's only once all that came
/// before is done.
template <class Items>
class ProcessFeed {
 public:
  using View = std::views::all_t<Items>;
  using Item = std::ranges::range_value_t<View>;
  static_assert(Encodable<Item>, "the items must be something that cereal can serialize");

  ProcessFeed(Items&& items, const WorkOptions& options)
      : view_(std::views::all(std::forward<Items>(items))), max_item_(options.max_item_bytes) {}

  bool ended() const noexcept { return ended_; }
  std::uint64_t fed() const noexcept { return next_; }
  std::exception_ptr error() const noexcept { return error_; }
  View& view() noexcept { return view_; }

  /// Adds tasks while the engine and `may_feed(index)` want more. Returns what ProcessEngine::wait() should
  /// wait for besides the end of tasks.
  template <class MayFeed>
  int feed(ProcessEngine& engine, MayFeed&& may_feed) {
    try {
      while (!ended_ && may_feed(next_) && !engine.closed()) {
        if constexpr (waitable) {
          if (!offered_ && !source().ready()) return what_to_wait_for(engine);
        }
        if (!has_item() || !engine.wants_task() || !add(engine)) break;
      }
    } catch (...) {  // of the range's: iterating or encoding
      error_ = std::current_exception();
      ended_ = true;
    }
    return ProcessEngine::no_input;
  }

 private:
  // A reference view hides what its range can do.
  template <class Range>
  static auto& behind(std::ranges::ref_view<Range>& view) {
    return view.base();
  }
  template <class Other>
  static auto& behind(Other& view) {
    return view;
  }
  auto& source() { return behind(view_); }
  static constexpr bool waitable = WaitableInput<std::remove_reference_t<decltype(behind(std::declval<View&>()))>>;

  int what_to_wait_for(ProcessEngine& engine) {
    engine.flush();
    if (!engine.wants_task()) return ProcessEngine::no_input;
    const int descriptor = static_cast<int>(source().wait_descriptor());
    return descriptor >= 0 ? descriptor : ProcessEngine::ask_again;
  }

  // Steps on only when the item before was taken: an item is pulled no sooner than there may be a place for it.
  bool has_item() {
    if (offered_) return true;
    if (!position_)
      position_.emplace(std::ranges::begin(view_));
    else
      ++*position_;
    ended_ = *position_ == std::ranges::end(view_);
    return offered_ = !ended_;
  }

  bool add(ProcessEngine& engine) {
    using Reference = std::ranges::range_reference_t<View>;
    if constexpr (std::same_as<std::remove_cvref_t<Reference>, Item>) {
      return add_item(engine, **position_);
    } else {
      return add_item(engine, static_cast<Item>(**position_));
    }
  }

  // False: there is no place for it now, and it is offered again after some task has ended.
  bool add_item(ProcessEngine& engine, const Item& item) {
    const auto room = engine.room();
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
    engine.add(next_, size);
    // An input that is read once may block at any step, and cannot say so.
    if constexpr (!std::ranges::forward_range<View> && !waitable) engine.flush();
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

  View view_;
  std::uint64_t max_item_;
  std::optional<std::ranges::iterator_t<View>> position_;
  std::uint64_t next_ = 0;
  bool offered_ = false;  // the item at position_ waits for a place
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace detail

/// Results of process_stream: an input range of Indexed<R>, one pass, move-only.
///
/// Lazy on both sides: items are pulled while results are taken, in the consumer's thread, and at most `window` of them
/// are under way or wait for their turn. For one thread, the one that made it: workers end when that thread ends.
/// Destroying it early ends the workers at once. What the items' range throws comes out of ++ or begin() after every
/// result of the items before.
template <class Items, class F>
class ProcessStream {
 public:
  using R = detail::WorkResult<Items, F>;
  static constexpr std::size_t window = 1u << 16;         ///< tasks
  static constexpr std::size_t window_bytes = 64u << 20;  ///< encoded results that wait for their turn

  ProcessStream(Items&& items, F&& func, const WorkOptions& options)
      : state_(std::make_unique<State>(std::forward<Items>(items), std::forward<F>(func), options)) {}

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Indexed<R>;
    using difference_type = std::ptrdiff_t;

    explicit iterator(ProcessStream& stream) noexcept : stream_(&stream) {}
    Indexed<R>& operator*() const noexcept { return stream_->state_->current; }
    Indexed<R>* operator->() const noexcept { return &stream_->state_->current; }
    iterator& operator++() {
      stream_->state_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

   private:
    bool at_end() const noexcept { return stream_->state_->at_end; }
    ProcessStream* stream_;
  };

  /// Starts the work. Call it once.
  iterator begin() {
    state_->advance();
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  using Func = std::decay_t<F>;
  using Feed = detail::ProcessFeed<Items>;
  using Body = detail::CodedTask<typename Feed::Item, R, Func>;

  struct State {
    State(Items&& items, F&& func, const WorkOptions& options)
        : feed(std::forward<Items>(items), options),
          engine(std::make_unique<Body>(std::forward<F>(func), options.max_result_bytes), options),
          ordered(options.preserve_result_ordering) {}

    void advance() {
      while (!at_end && !take_next()) wait();
    }

    bool take_next() {
      if (ordered && waiting.take_front(current.outcome)) {
        current.index = waiting.front_index() - 1;
        return true;
      }
      while (!fresh.empty()) {
        detail::Completion& done = fresh.front();
        fresh = fresh.subspan(1);
        if (!ordered || waiting.is_next(done.task)) {
          if (ordered) waiting.pass_front();
          current.index = done.task;
          current.outcome = detail::outcome_of<R>(done);
          return true;
        }
        waiting.put(done.task, detail::outcome_of<R>(done), done.size);
        if (waiting.front_is_there()) return take_next();
      }
      return false;
    }

    void wait() {
      const int input = feed.feed(engine, [this](std::uint64_t index) {
        return !ordered || (index - waiting.front_index() < window && waiting.bytes() < window_bytes);
      });
      if (engine.wait(input) == detail::Wake::completions) {
        fresh = engine.completions();
      } else if (engine.outstanding() == 0 && (feed.ended() || engine.closed())) {
        at_end = true;
        engine.finish();
        if (feed.error()) std::rethrow_exception(feed.error());
      }
    }

    Feed feed;
    detail::ProcessEngine engine;
    bool ordered;
    bool at_end = false;
    detail::Reorder<R> waiting;
    std::span<detail::Completion> fresh;
    Indexed<R> current;
  };

  std::unique_ptr<State> state_;
};

/// Runs `func` on every item in worker processes and returns an outcome for each: results[i] belongs to the i-th item
/// (with `preserve_result_ordering` false: in the order they ended). A task that crashes, hangs or exits costs itself
/// and nothing else.
///
/// `func` is any callable, captures included; it runs in forked children of the calling thread and may take a
/// std::stop_token second. Items and results are what cereal can serialize; void results too. Fork-safe only as far as
/// `func` is: it must not need a lock that another thread of the host may hold (in hosts with threads use a
/// ProcessPool). Blocks until all is done. Throws std::invalid_argument for options that cannot be meant,
/// std::system_error where set-up fails, and what the items' range throws, once the work that had started is done.
///
/// The process twin of `do_threaded_work` of the article on threads, queues and processes.
template <class Items, class F>
auto do_process_work(Items&& items, F&& func, const WorkOptions& options = {})
    -> std::vector<Outcome<detail::WorkResult<Items, F>>> {
  using R = detail::WorkResult<Items, F>;
  using Feed = detail::ProcessFeed<Items>;
  using Body = detail::CodedTask<typename Feed::Item, R, std::remove_reference_t<F>&>;

  Feed feed(std::forward<Items>(items), options);
  detail::ProcessEngine engine(std::make_unique<Body>(func, options.max_result_bytes), options);
  std::vector<Outcome<R>> results;
  detail::CallerMemory kept;  // advised before the first touch
  if constexpr (std::ranges::sized_range<typename Feed::View>) {
    const auto count = static_cast<std::size_t>(std::ranges::size(feed.view()));
    results.reserve(count);
    kept = detail::CallerMemory(results.data(), count * sizeof(Outcome<R>));
    results.resize(count);
  }
  std::size_t ended = 0;
  for (;;) {
    const int input = feed.feed(engine, [](std::uint64_t) { return true; });
    const detail::Wake wake = engine.wait(input);
    if (wake == detail::Wake::idle && (feed.ended() || engine.closed())) break;
    if (wake != detail::Wake::completions) continue;
    for (detail::Completion& done : engine.completions()) {
      const std::size_t place = options.preserve_result_ordering ? static_cast<std::size_t>(done.task) : ended;
      if (place >= results.size()) results.resize(place + 1);
      results[place] = detail::outcome_of<R>(done);
      ++ended;
    }
  }
  engine.finish();
  if (feed.error()) std::rethrow_exception(feed.error());
  // Stopped before every item was taken on: those have an outcome as well.
  for (std::size_t i = static_cast<std::size_t>(feed.fed()); i < results.size(); ++i)
    results[i] = Outcome<R>(Failure{.ending = Ending::cancelled, .type = {}, .what = "never started", .backtrace = {}});
  return results;
}

/// The same as a range: see ProcessStream. Lvalue ranges are referred to, rvalues are moved in.
template <class Items, class F>
auto process_stream(Items&& items, F&& func, const WorkOptions& options = {}) -> ProcessStream<Items, F> {
  return ProcessStream<Items, F>(std::forward<Items>(items), std::forward<F>(func), options);
}

}  // namespace bulkhead
