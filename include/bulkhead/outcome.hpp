// What became of a task: a value, or a failure that says in words and in fields how the attempt ended.
//
// Standard library only. Nothing here is shared between threads by itself; copies and moves follow the result type.
#pragma once

#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#include <version>
#if defined(__cpp_lib_expected)
#include <expected>
#endif

namespace bulkhead {

/// How a task ended. Every task ends in exactly one of these; none is ever folded into another.
enum class Ending : std::uint8_t {
  value,             ///< the function returned
  exception,         ///< the function threw
  exited,            ///< the worker left by exit() or _exit() in the middle of the task, 0 included
  crashed,           ///< a signal nobody of ours sent ended the worker in the middle of the task
  timed_out,         ///< the task outlived `task_timeout`
  out_of_memory,     ///< a memory limit was the evident cause
  limit_exceeded,    ///< another limit (CPU time, file size, open files) was the evident cause
  too_large,         ///< the item or the result is larger than the limit named in the words
  cancelled,         ///< stopped on request before it could finish
  abandoned,         ///< never run to an end because the run gave up
  protocol_error,    ///< the result's bytes do not decode as the result type
  not_serializable,  ///< the item or the result could not be encoded, or the item not decoded
};

/// The ending's name as it is spelled above ("timed_out"). Never fails.
std::string_view to_string(Ending ending) noexcept;

/// Why a task has no value. `signal` 0 and `exit_code` -1 mean: not applicable.
struct Failure {
  Ending ending{};
  int signal = 0;          ///< the signal that ended the worker, from its wait status
  int exit_code = -1;      ///< the code it left with, 0 included
  std::string type, what;  ///< of an exception: its demangled type and what(); otherwise the reason in words
  std::vector<std::string> backtrace;  ///< "f+0x41 (f.cpp:88)", innermost first; empty where none could be had

  // Of a worker that died; zero and empty where not known or not applicable.
  std::uint64_t
      fault_address{};  ///< that the instruction could not reach (SIGSEGV, SIGBUS), or its own (SIGILL, SIGFPE)
  bool core_dumped{};
  std::chrono::microseconds user_time{}, system_time{};  ///< processor time over the worker's life
  std::uint64_t max_rss{};                               ///< bytes, over the worker's life
  std::vector<std::uint64_t> tasks_before{};  ///< the last ones that this worker had finished, youngest first: one of
                                              ///< them may have done the damage

  std::string stderr_tail{};  ///< the last that it wrote to standard error, where WorkOptions::stderr_tail asks for it

  /// One line for people, without source lines: "crashed by SIGSEGV at parse_header+0x41", "exited with code 3",
  /// "std::runtime_error: no such row".
  std::string describe() const;
};

/// What an attempt cost. Below about ten microseconds a task, `waited` and `ran` may be the mean of its group.
struct TaskStats {
  unsigned attempts = 0;              ///< attempts made, the last one included; 0: it never started
  int worker = 0;                     ///< the slot that ran the last attempt, from 0
  std::chrono::nanoseconds waited{};  ///< from its hand-over to a worker to its start
  std::chrono::nanoseconds ran{};     ///< of the last attempt
  std::uint64_t peak_rss = 0;         ///< bytes, the worker's peak so far, at most 1 ms old, to 0.05 %; 0: not measured
  unsigned processes_left = 0;        ///< descendants that outlived the task, and were ended: it leaks; at most 255
};

/// Thrown by Outcome::value() where there is none.
class WorkError : public std::runtime_error {
 public:
  explicit WorkError(const Failure& failure)
      : std::runtime_error(failure.describe()), failure_(std::make_shared<const Failure>(failure)) {}
  const Failure& failure() const noexcept { return *failure_; }

 private:
  std::shared_ptr<const Failure> failure_;  // shared: an exception must copy without throwing
};

namespace detail {

// A size in two bytes, to one part in two thousand: eleven bits, and how many stand behind them.
class RoundedKib {
 public:
  constexpr RoundedKib() noexcept = default;
  explicit constexpr RoundedKib(std::uint64_t bytes) noexcept {
    const std::uint64_t kib = bytes >> 10;
    unsigned behind = std::bit_width(kib) > bits ? static_cast<unsigned>(std::bit_width(kib)) - bits : 0;
    std::uint64_t leading = (kib + (std::uint64_t{1} << behind >> 1)) >> behind;
    if (leading >> bits != 0) leading >>= 1, ++behind;
    packed_ = static_cast<std::uint16_t>(behind > most_behind ? 0xffff : behind << bits | leading);
  }
  constexpr std::uint64_t bytes() const noexcept {
    return std::uint64_t{packed_ & ((1u << bits) - 1)} << (packed_ >> bits) << 10;
  }

 private:
  static constexpr unsigned bits = 11, most_behind = 31;
  std::uint16_t packed_ = 0;
};

// TaskStats in sixteen bytes, so that an Outcome<long> is 24: a first touch of a fresh page costs more than a task.
// A float keeps a duration to seven digits.
struct PackedStats {
  Ending ending = Ending::abandoned;
  std::uint8_t processes_left = 0;
  std::uint16_t attempts = 0;
  std::uint16_t worker = 0;
  RoundedKib peak_rss{};
  float waited_ns = 0, ran_ns = 0;

  PackedStats() = default;
  PackedStats(Ending how, const TaskStats& stats) noexcept
      : ending(how),
        processes_left(static_cast<std::uint8_t>(stats.processes_left < 0xff ? stats.processes_left : 0xff)),
        attempts(static_cast<std::uint16_t>(stats.attempts < 0xffff ? stats.attempts : 0xffff)),
        worker(static_cast<std::uint16_t>(stats.worker)),
        peak_rss(stats.peak_rss),
        waited_ns(static_cast<float>(stats.waited.count())),
        ran_ns(static_cast<float>(stats.ran.count())) {}

  TaskStats unpack() const noexcept {
    return {attempts,
            worker,
            std::chrono::nanoseconds(static_cast<std::int64_t>(waited_ns)),
            std::chrono::nanoseconds(static_cast<std::int64_t>(ran_ns)),
            peak_rss.bytes(),
            processes_left};
  }
};
static_assert(sizeof(PackedStats) == 16);

// Any pattern of bits of its size is a value of it.
template <class R>
concept PlainNumber = std::is_arithmetic_v<R> && !std::is_same_v<R, bool>;

// A value and what it cost: constructs an outcome where that stays.
template <class R>
struct SettledNumber {
  R value;
  PackedStats stats;  // of one that ended with a value
};

struct OutcomeAccess;

const Failure& undecided() noexcept;  // what a default-made Outcome reports: abandoned

}  // namespace detail

/// A task's value or its failure, with what the attempt cost.
///
/// Made by the library; a default-made one is `abandoned`. Reading `*outcome` without a value is undefined,
/// `value()` throws WorkError. The failure lives out of line, so an Outcome<long> takes 24 bytes.
template <class R>
class Outcome {
  static constexpr bool plain = std::is_trivially_copyable_v<R>;

 public:
  using value_type = R;

  Outcome() noexcept : failure_(nullptr) {}
  explicit Outcome(R value, const TaskStats& stats = {}) : value_(std::move(value)), stats_(Ending::value, stats) {}
  /// A failure that claims to be a value counts as `abandoned`.
  explicit Outcome(Failure failure, const TaskStats& stats = {})
      : failure_(nullptr), stats_(failure.ending != Ending::value ? failure.ending : Ending::abandoned, stats) {
    failure_ = new Failure(std::move(failure));
  }
  Outcome(R value, const detail::PackedStats& stats) : value_(std::move(value)), stats_(stats) {}
  Outcome(const detail::SettledNumber<R>& number) noexcept requires detail::PlainNumber<R> : value_(number.value),
                                                                                             stats_(number.stats) {}
  Outcome(const Outcome& other) requires std::is_copy_constructible_v<R> : failure_(nullptr), stats_(other.stats_) {
    if (other.has_value()) {
      ::new (static_cast<void*>(std::addressof(value_))) R(other.value_);
    } else if (other.failure_) {
      failure_ = new Failure(*other.failure_);
    }
  }
  Outcome(Outcome&& other) noexcept(std::is_nothrow_move_constructible_v<R>) : failure_(nullptr), stats_(other.stats_) {
    if (other.has_value()) {
      ::new (static_cast<void*>(std::addressof(value_))) R(std::move(other.value_));
    } else {
      failure_ = std::exchange(other.failure_, nullptr);
    }
  }
  // By value: `other` may be a part of what is destroyed here. For plain values, which own nothing, a copy is spared.
  Outcome& operator=(Outcome other) noexcept(std::is_nothrow_move_constructible_v<R>) requires(!plain) {
    std::destroy_at(this);
    return *::new (static_cast<void*>(this)) Outcome(std::move(other));
  }
  Outcome& operator=(const Outcome& other) requires(plain) { return *this = Outcome(other); }
  Outcome& operator=(Outcome&& other) noexcept requires(plain) {
    if (this == &other) return *this;
    destroy();
    if (other.has_value())
      ::new (static_cast<void*>(std::addressof(value_))) R(std::move(other.value_));
    else
      failure_ = std::exchange(other.failure_, nullptr);
    stats_ = other.stats_;
    return *this;
  }
  ~Outcome() { destroy(); }

  bool has_value() const noexcept { return stats_.ending == Ending::value; }
  explicit operator bool() const noexcept { return has_value(); }
  R& value() & { return require(), value_; }
  const R& value() const& { return require(), value_; }
  R&& value() && { return require(), std::move(value_); }
  R& operator*() & noexcept { return value_; }
  const R& operator*() const& noexcept { return value_; }
  R&& operator*() && noexcept { return std::move(value_); }
  R* operator->() noexcept { return std::addressof(value_); }
  const R* operator->() const noexcept { return std::addressof(value_); }

  Ending ending() const noexcept { return stats_.ending; }
  /// Why there is no value. Throws std::logic_error where there is one.
  const Failure& error() const {
    if (has_value()) throw std::logic_error("bulkhead::Outcome::error(): this task ended with a value");
    return failure_ ? *failure_ : detail::undecided();
  }
  TaskStats stats() const noexcept { return stats_.unpack(); }

#if defined(__cpp_lib_expected)
  operator std::expected<R, Failure>() const& {
    if (has_value()) return value_;
    return std::unexpected(error());
  }
#endif

 private:
  friend struct detail::OutcomeAccess;

  void require() const {
    if (!has_value()) throw WorkError(error());
  }
  void destroy() noexcept {
    if (has_value())
      std::destroy_at(std::addressof(value_));
    else
      delete failure_;
  }

  union {
    R value_;
    Failure* failure_;
  };
  detail::PackedStats stats_;
};

/// The outcome of a function that returns nothing: `value()` and `*` return void.
template <>
class Outcome<void> {
 public:
  using value_type = void;

  Outcome() noexcept = default;
  explicit Outcome(const TaskStats& stats) : inner_(std::monostate{}, stats) {}
  explicit Outcome(Failure failure, const TaskStats& stats = {}) : inner_(std::move(failure), stats) {}

  bool has_value() const noexcept { return inner_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const { static_cast<void>(inner_.value()); }
  void operator*() const noexcept {}
  Ending ending() const noexcept { return inner_.ending(); }
  const Failure& error() const { return inner_.error(); }
  TaskStats stats() const noexcept { return inner_.stats(); }

#if defined(__cpp_lib_expected)
  operator std::expected<void, Failure>() const {
    if (has_value()) return {};
    return std::unexpected(error());
  }
#endif

 private:
  friend struct detail::OutcomeAccess;

  Outcome<std::monostate> inner_;
};

namespace detail {

// For the executors, who learn what an attempt has cost after its outcome was made, and who write one value over
// another.
struct OutcomeAccess {
  template <class R>
  static R& value(Outcome<R>& outcome) noexcept {
    return outcome.value_;
  }
  template <class R>
  static PackedStats& stats(Outcome<R>& outcome) noexcept {
    if constexpr (std::is_void_v<R>) {
      return outcome.inner_.stats_;
    } else {
      return outcome.stats_;
    }
  }
};

}  // namespace detail

static_assert(sizeof(Outcome<long>) <= 24);

/// One result of a stream: `index` is the item's place in the input, from 0.
template <class R>
struct Indexed {
  std::size_t index = 0;
  Outcome<R> outcome;
};

}  // namespace bulkhead
