#include "process/backlog.hpp"

#include <algorithm>
#include <utility>

namespace bulkhead::process {

namespace {

bool before(const PendingTask& a, const PendingTask& b) noexcept { return a.task < b.task; }

}  // namespace

bool Backlog::has_ready(std::chrono::nanoseconds now) {
  while (!later_.empty() && later_.top().due <= now) add(pop_later());
  if (!std::exchange(in_order_, true)) std::sort(ready_.begin(), ready_.end(), before);
  return !ready_.empty();
}

PendingTask Backlog::take() {
  PendingTask task = std::move(ready_.front());
  ready_.pop_front();
  return task;
}

PendingTask Backlog::pop_later() {
  PendingTask task = std::move(const_cast<PendingTask&>(later_.top()));  // it is popped before anyone compares it again
  later_.pop();
  return task;
}

std::optional<std::chrono::nanoseconds> Backlog::next_due() const {
  if (later_.empty()) return std::nullopt;
  return later_.top().due;
}

std::vector<PendingTask> Backlog::take_all() {
  std::vector<PendingTask> all;
  while (!ready_.empty()) all.push_back(take());
  while (!later_.empty()) all.push_back(pop_later());
  return all;
}

}  // namespace bulkhead::process
