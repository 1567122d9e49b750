// Where results wait until they may be delivered.
#pragma once

#include <bulkhead/outcome.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <stdexcept>
#include <utility>

namespace bulkhead::detail {

/// Results on their way to the caller, in the order of the items or as they come.
template <class R>
class ReadyResults {
 public:
  explicit ReadyResults(bool ordered) : ordered_(ordered) {}

  void expect_another() {
    if (ordered_) slots_.emplace_back();
  }
  void put(std::size_t index, Outcome<R>&& outcome) {
    if (!ordered_) {
      slots_.emplace_back(Indexed<R>{index, std::move(outcome)});
      return;
    }
    std::optional<Indexed<R>>& slot = slots_.at(index - delivered_);
    if (slot) throw std::logic_error("bulkhead: a task has ended twice");
    slot.emplace(Indexed<R>{index, std::move(outcome)});
  }
  bool empty() const { return slots_.empty() || !slots_.front(); }
  Indexed<R> pop() {
    Indexed<R> result = std::move(*slots_.front());
    slots_.pop_front();
    ++delivered_;
    return result;
  }
  std::size_t delivered() const noexcept { return delivered_; }

 private:
  const bool ordered_;
  std::deque<std::optional<Indexed<R>>> slots_;  // ordered: one for each item pulled and not delivered
  std::size_t delivered_ = 0;
};

}  // namespace bulkhead::detail
