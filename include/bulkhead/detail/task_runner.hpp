// A task in a worker thread: the call, and whatever comes of it, into its place.
#pragma once

#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/task_block.hpp>
#include <bulkhead/detail/task_function.hpp>
#include <bulkhead/detail/task_loop.hpp>
#include <bulkhead/outcome.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace bulkhead::detail {

/// For all threads of a run at once. Refers to the function or owns it (F a reference or value).
template <class Item, class R, class F>
class TaskRunner final : public TaskLoop {
 public:
  TaskRunner(F&& func, std::stop_token stop, bool keep_items)
      : func_(std::forward<F>(func)), stop_(std::move(stop)), keep_items_(keep_items) {}

  std::uint32_t run(TaskNumbers& block, std::uint32_t place, ClaimedRange& claimed, CurrentTask& current) override {
    auto& typed = static_cast<TaskBlock<Item, R>&>(block);
    std::uint32_t done = 0;
    for (std::optional<std::uint32_t> next = place; next;
         next = stop_.stop_requested() ? std::nullopt : claimed.pop()) {
      run_one(typed, *next, current);
      ++done;
    }
    return done;
  }

 private:
  void run_one(TaskBlock<Item, R>& block, std::uint32_t place, CurrentTask& current) {
    ItemPlace<Item>& item = block.items[place];
    Made<R>& made = block.made[place];
    current.task.index = block.index(place);
    current.task.attempt = block.attempt(place);
    current.active = true;
    bool keep = false;
    try {
      made.set([&]() -> typename Made<R>::Value {
        if constexpr (std::is_void_v<R>) {
          static_cast<void>(call(*item));
          return {};
        } else {
          return call(*item);
        }
      });
    } catch (...) {
      fail(made);
      keep = keep_items_;
    }
    // What the item owns ends before anybody can see its outcome.
    if (!keep) item.reset();
    current.active = false;
  }

  decltype(auto) call(Item& item) {
    if constexpr (item_survives<F, Item>) {
      if (keep_items_) return static_cast<R>(invoke_keeping(func_, item, stop_));
    }
    return static_cast<R>(invoke_task(func_, std::move(item), stop_));
  }

  static void fail(Made<R>& made) noexcept {
    try {
      made.fail(failure_from_current_exception());
    } catch (...) {  // no memory for a Failure: abandoned
    }
  }

  F func_;
  const std::stop_token stop_;  // one for all tasks: each copy is counted, by all threads
  const bool keep_items_;
};

}  // namespace bulkhead::detail
