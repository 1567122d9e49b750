// One task, typed: bytes to an item, the call, the result to bytes; and a completion's bytes to an outcome.
#pragma once

#include <bulkhead/codec.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/kept_outcomes.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/detail/task_function.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

namespace bulkhead::detail {

std::string too_large_words(const char* what, std::size_t size, const char* limit_name, std::uint64_t limit);

/// The half of a task that does not know its function: what becomes of a result, or of an exception. One of these is
/// compiled for all functions with such a result.
template <class R>
class TaskWithResult : public TaskBody {
 protected:
  TaskWithResult(const TaskLimits& limits, Ending stage) : limits_(limits), stage_(stage) {}

  /// What an exception means from here on.
  void stage(Ending meaning) noexcept { stage_ = meaning; }

  // Kept out of line, and so is encode_any(): what they need on the stack would be made ready for every task.
  [[gnu::noinline]] void fail(ResultSlot& result) { result.failure = failure_under_limits(limits_, stage_); }

  template <class Value>
  std::size_t encode(const Value& value, ResultSlot& result) {
    if constexpr (PlainNumber<Value>) {  // they come by the million, and run no code of the user's
      if (sizeof value <= std::min<std::uint64_t>(limits_.max_result_bytes, result.room)) {
        std::memcpy(result.place, &value, sizeof value);
        return result.size = sizeof value;
      }
      const Value copy = value;  // so that the value itself may stay in a register
      return encode_any(copy, result);
    } else {
      return encode_any(value, result);
    }
  }

  /// What may fail, and speak: a value's serialization, and then its destructor.
  template <class Value>
  std::size_t encode_by_stages(const Value& value, ResultSlot& result) {
    stage(Ending::not_serializable);
    result.stage = ResultSlot::Stage::encoding;
    try {
      const std::size_t size = encode(value, result);
      stage(Ending::exception);
      result.stage = ResultSlot::Stage::encoded;
      return size;
    } catch (...) {
      result.stage = ResultSlot::Stage::before;  // nothing was made that could be written over by what ends now
      throw;
    }
  }

 private:
  template <class Value>
  [[gnu::noinline]] std::size_t encode_any(const Value& value, ResultSlot& result) {
    result.size = encode_into({result.place, result.room}, value);
    if (result.size > limits_.max_result_bytes) {
      result.failure.emplace().ending = Ending::too_large;
      result.failure->what = too_large_words("result", result.size, "max_result_bytes", limits_.max_result_bytes);
    } else if (result.size > result.room) {
      result.elsewhere = result.large->large_room(result.size);
      if (encode_into(result.elsewhere, value) != result.size)
        throw std::logic_error("the result has another size each time that it is serialized");
    } else {
      return result.size;
    }
    return TaskBody::not_in_place;
  }

  TaskLimits limits_;
  Ending stage_;
};

/// Decode, call, encode: what a worker does with an item. Refers to the function or owns it (F a value or reference).
template <class Item, class R, class F>
class CodedTask final : public TaskWithResult<R> {
 public:
  CodedTask(F func, const TaskLimits& limits) : TaskWithResult<R>(limits, first_stage), func_(std::forward<F>(func)) {}

  StopForm stop_form() const noexcept override { return form; }

  std::size_t run(std::span<const std::byte> bytes, ResultSlot& result) override {
    std::size_t size = TaskBody::not_in_place;
    try {
      if (!of_numbers || bytes.size() != sizeof(Item)) this->stage(Ending::not_serializable);
      Item item = decode<Item>(bytes);
      if constexpr (!of_numbers) this->stage(Ending::exception);
      if constexpr (std::is_void_v<R>) {
        invoke_task(func_, std::move(item), stop());
        size = result.size = 0;
      } else {
        const R value = invoke_task(func_, std::move(item), stop());
        if constexpr (of_numbers)
          size = this->encode(value, result);
        else
          size = this->encode_by_stages(value, result);
      }
    } catch (...) {
      this->fail(result);
      this->stage(first_stage);
      size = TaskBody::not_in_place;  // where a destructor threw, it was set already
    }
    if constexpr (!of_numbers) result.stage = ResultSlot::Stage::before;
    return size;
  }

 private:
  // Of numbers only the function can throw, but for an item of another size: there are no stages to go through.
  static constexpr bool of_numbers = PlainNumber<Item> && (PlainNumber<R> || std::is_void_v<R>);
  static constexpr Ending first_stage = of_numbers ? Ending::exception : Ending::not_serializable;

  static constexpr StopForm form = TokenFunction<F, Item>     ? StopForm::token
                                   : RequestFunction<F, Item> ? StopForm::request
                                                              : StopForm::none;

  static auto stop() noexcept {
    if constexpr (form == StopForm::request) {
      return worker_stop_request();
    } else if constexpr (form == StopForm::token) {
      return worker_stop_token();
    } else {
      return std::stop_token();  // not looked at
    }
  }

  F func_;
};

template <class R>
Outcome<R> decoded_outcome(Completion& done, std::size_t which) {
  if (done.failure) return Outcome<R>(std::move(*done.failure), done.stats.unpack());
  try {
    if constexpr (std::is_void_v<R>) {
      return Outcome<R>(done.stats.unpack());
    } else {
      return Outcome<R>(decode<R>(done.bytes(which)), done.stats);
    }
  } catch (...) {
    return Outcome<R>(failure_from_current_exception(Ending::protocol_error), done.stats.unpack());
  }
}

/// Whether it holds numbers of this type, which come by the million.
template <PlainNumber R>
bool holds_numbers(const Completion& done) noexcept {
  return done.failure == nullptr && done.size == sizeof(R);
}

/// The outcome that a completion stands for, or one of the outcomes. Decoding happens here, in the caller, never in the
/// coordinator's loop.
template <class R>
Outcome<R> outcome_of(Completion& done, std::size_t which = 0) {
  if constexpr (PlainNumber<R>)
    if (holds_numbers<R>(done)) return Outcome<R>(decode<R>(done.bytes(which)), done.stats);
  return decoded_outcome<R>(done, which);
}

// Kept out of outcome_into(), which is a part of loops over numbers.
template <class R>
[[gnu::noinline]] void any_outcome_into(Outcome<R>& into, Completion& done, std::size_t which) {
  if constexpr (std::is_same_v<R, std::string>) {
    if (done.failure == nullptr && into.has_value()) {
      const std::span<const std::byte> bytes = done.bytes(which);
      try {
        OutcomeAccess::value(into).assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        OutcomeAccess::stats(into) = done.stats;
        return;
      } catch (...) {  // no memory: below, that becomes its outcome
      }
    }
  }
  into = outcome_of<R>(done, which);
}

/// The same, into what holds an outcome already. One value is written over the other: a string keeps its memory, which
/// costs more than small ones do, and of a number no copy is made on the way.
template <class R>
void outcome_into(Outcome<R>& into, Completion& done, std::size_t which = 0) {
  if constexpr (PlainNumber<R>) {
    if (holds_numbers<R>(done) && into.has_value()) [[likely]] {
      std::memcpy(&OutcomeAccess::value(into), done.data + which * done.stride, sizeof(R));
      OutcomeAccess::stats(into) = done.stats;
      return;
    }
  }
  any_outcome_into(into, done, which);
}

/// All of a completion's, from `place` on.
template <class R>
void keep_outcomes(KeptOutcomes<R>& all, std::size_t place, Completion& done) {
  if constexpr (PlainNumber<R>) {
    if (holds_numbers<R>(done))
      return all.put(place, done.count, SettledNumbers<R>(done.data, done.stride, done.count, done.stats));
  }
  for (std::size_t i = 0; i < done.count; ++i) all.put(place + i, outcome_of<R>(done, i));
}

}  // namespace bulkhead::detail
