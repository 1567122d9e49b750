// One task in a worker thread: the call, and whatever comes of it, into the outcome's place.
#pragma once

#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/task_block.hpp>
#include <bulkhead/detail/task_function.hpp>
#include <bulkhead/outcome.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace bulkhead::detail {

/// For all threads of a run at once. `F` may be a reference.
template <class Item, class R, class F>
class TaskRunner {
 public:
  TaskRunner(std::remove_reference_t<F>& func, std::stop_token stop, bool keep_items)
      : func_(func), stop_(std::move(stop)), keep_items_(keep_items) {}

  void run(TaskBlock<Item, R>& block, std::uint32_t place, CurrentTask& current) {
    ThreadTask<Item>& task = block.tasks[place];
    Outcome<R>& outcome = block.outcomes[place];
    current.task.index = task.index;
    current.task.attempt = task.attempt;
    current.active = true;
    const TaskStats stats{.attempts = task.attempt, .worker = current.task.worker};
    bool keep = false;
    void* const here = std::addressof(outcome);
    std::destroy_at(std::addressof(outcome));
    try {
      if constexpr (std::is_void_v<R>) {
        static_cast<void>(call(*task.item));
        ::new (here) Outcome<R>(stats);
      } else {
        ::new (here) Outcome<R>(call(*task.item), stats);
      }
    } catch (...) {
      ::new (here) Outcome<R>(failed(stats));
      keep = keep_items_;
    }
    // What the item owns ends before anybody can see its outcome.
    if constexpr (!std::is_trivially_destructible_v<Item>)
      if (!keep) task.item.reset();
    current.active = false;
  }

 private:
  decltype(auto) call(Item& item) {
    if constexpr (item_survives<F, Item>) {
      if (keep_items_) return static_cast<R>(invoke_keeping(func_, item, stop_));
    }
    return static_cast<R>(invoke_task(func_, std::move(item), stop_));
  }

  static Outcome<R> failed(const TaskStats& stats) noexcept {
    try {
      return Outcome<R>(failure_from_current_exception(), stats);
    } catch (...) {
      return {};  // no memory for a Failure: abandoned
    }
  }

  std::remove_reference_t<F>& func_;
  const std::stop_token stop_;  // one for all tasks: each copy is counted, by all threads
  const bool keep_items_;
};

}  // namespace bulkhead::detail
