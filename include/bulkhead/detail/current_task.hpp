// Behind this_task() and emit_output(): what a worker, thread or process, tells about the task in its hands.
#pragma once

#include <bulkhead/task.hpp>

#include <cstddef>
#include <span>

namespace bulkhead::detail {

/// Where emit_output() goes: each kind of worker plugs in its own. Called only by the thread that runs the task.
class OutputSink {
 public:
  virtual void emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) = 0;

 protected:
  ~OutputSink() = default;
};

/// The calling thread's slot. A worker fetches the reference once and stores into it per task: no more than a few
/// stores. `active` says whether a task is in hand.
struct CurrentTask {
  ThisTask task{};
  bool active = false;
  OutputSink* sink = nullptr;
};
CurrentTask& current_task() noexcept;

/// Makes `task` the calling thread's task for as long as it lives, then puts back what was there.
class TaskScope {
 public:
  TaskScope(const ThisTask& task, OutputSink* sink) noexcept : slot_(current_task()), before_(slot_) {
    slot_ = CurrentTask{task, true, sink};
  }
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope() { slot_ = before_; }

 private:
  CurrentTask& slot_;
  const CurrentTask before_;
};

}  // namespace bulkhead::detail
