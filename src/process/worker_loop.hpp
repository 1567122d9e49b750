// The life of a worker, on its side of the fork: read an item, do the task, compose its frame, until told to stop.
#pragma once

#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/options.hpp>

#include "ipc/outbox.hpp"
#include "ipc/task_queue.hpp"
#include "ipc/worker_page.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace bulkhead::process {

/// What a worker holds of the outside: read-only its tasks, its own page, ring and annex, its end of the pipe.
struct WorkerPlace {
  ipc::TaskQueueView queue;
  ipc::Mapping memory;  // page, ring and annex
  os::Fd pipe;
  std::uint32_t seed = 0;
};

class WorkerLoop final : public detail::OutputSink, public detail::LargeRoom {
 public:
  WorkerLoop(WorkerPlace place, detail::TaskBody& body, const WorkOptions& options);
  [[noreturn]] void run() noexcept;

 private:
  // Of a task, or of a group of tiny ones.
  struct Timing {
    std::chrono::nanoseconds ended{};  // when
    std::chrono::nanoseconds took{};   // without what it waited for room
  };

  void start();
  void set_up();
  [[noreturn]] void leave_with_words(const Failure& failure);
  void wait_for_admission();
  void serve();
  void answer_row(const ipc::Row& row, std::uint64_t offset);
  void decline(const ipc::Record& record);
  std::size_t lengthen_run(const ipc::Row& row, std::size_t from, std::uint64_t offset);
  void do_tiny(const ipc::Record& record);
  void answer_tiny(const ipc::Record& record);
  bool may_have_left_some();
  Timing do_measured(const ipc::Record& record);
  void answer(const ipc::Record& record);
  void after(std::size_t tasks);
  void after_measured(Timing timing);
  void end_group(Timing timing);
  void flush_if_much();
  void flush_if_little_is_left(std::uint64_t done, std::uint64_t left);
  void end_what_was_left(std::uint64_t task, unsigned attempt);
  void look_after_fork(const ipc::Record& record);
  void flush();
  void idle(std::uint64_t head);
  std::vector<std::byte> composed_in_outbox() const;
  void emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) override;
  std::span<std::byte> large_room(std::size_t size) override;

  WorkerPlace place_;
  detail::TaskBody& body_;
  const WorkOptions& options_;
  ipc::WorkerPage& page_;
  ipc::LaneReader lane_;
  ipc::Outbox outbox_;
  detail::CurrentTask& current_;
  detail::ResultSlot result_;     // of the task in hand
  std::vector<std::byte> apart_;  // a result that has no place where it is sent from

  // The clock is read once per group of tasks, and a group of one is measured exactly.
  std::uint32_t group_ = 1, group_left_ = 1;
  std::uint32_t unsent_ = 0;       // tasks
  std::uint64_t unsent_rows_ = 0;  // bytes of the rows answered since flush()
  bool slept_ = false;             // since it looked for children: what a task left may have had some meanwhile
  std::chrono::nanoseconds group_start_{}, last_flush_{};
  std::chrono::nanoseconds last_end_{};  // of a task, in groups of few; or when the group began
  std::chrono::nanoseconds peak_read_{};
  std::uint64_t peak_rss_kib_ = 0;
  bool fenced_remotely_ = false;
  std::vector<int> helpers_;  // processes that worker_init started: they serve all tasks
};

}  // namespace bulkhead::process
