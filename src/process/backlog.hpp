// Tasks that are admitted and lie in no lane: taken back, left over by a death, or waiting for their next attempt. They
// are dealt in their order, however they came here: what was admitted first goes first.
#pragma once

#include "ipc/item_bytes.hpp"
#include "ipc/lane.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

namespace bulkhead::process {

struct PendingTask {
  std::uint64_t task = 0;
  unsigned attempt = 1;
  ipc::ItemBytes item;                    // its bytes, or
  std::optional<ipc::ArenaPlace> placed;  // where they lie in the arena
  std::chrono::nanoseconds due{};         // not to be dealt before
  bool alone = false;  // one of several that a worker may have died of: dealt to an empty lane, with nothing behind it
};

class Backlog {
 public:
  /// To be dealt as soon as there is a worker for it.
  void add(PendingTask task) {
    in_order_ = in_order_ && (ready_.empty() || ready_.back().task < task.task);
    ready_.push_back(std::move(task));
  }
  /// To be dealt when `due` has come.
  void add_later(PendingTask task) { later_.push(std::move(task)); }

  bool empty() const noexcept { return ready_.empty() && later_.empty(); }
  /// Moves what has become due; true if something can be dealt now. To be asked before each of the next three.
  bool has_ready(std::chrono::nanoseconds now);
  /// How many can be.
  std::size_t ready() const noexcept { return ready_.size(); }
  const PendingTask& front() const noexcept { return ready_.front(); }
  PendingTask take();
  /// When the next one becomes due, if any is waiting.
  std::optional<std::chrono::nanoseconds> next_due() const;
  /// Everything, for ending it.
  std::vector<PendingTask> take_all();

 private:
  struct Later {
    bool operator()(const PendingTask& a, const PendingTask& b) const noexcept { return a.due > b.due; }
  };
  PendingTask pop_later();

  std::deque<PendingTask> ready_;
  bool in_order_ = true;  // of their numbers
  std::priority_queue<PendingTask, std::vector<PendingTask>, Later> later_;
};

}  // namespace bulkhead::process
