// The coordinator: one loop that deals tasks to workers, takes what they say, and judges what became of them.
//
//     caller's process = coordinator                        :   worker process k
//     ------------------------------                        :   ----------------
//     item ──encode──> lane k ══ shared memory, read-only there ══> pull ──> own page: "running"
//                        ^  ^                               :     |
//       backlog ─────────┘  └── take back what lies idle    :     v
//     (retries, left over)                                  :   decode, call, encode
//                                                           :     |
//     completion <── settle <════════ pipe k ═════════════════ frame in the own ring, written in batches
//                       ^                                   :
//                       └── death of k: drain pipe, then ring, then the page names the task in hand
//
// A turn of the loop: deal what may be dealt, then wait for one thing to happen, then take it in.
#pragma once

#include <bulkhead/detail/input_pace.hpp>
#include <bulkhead/detail/process_engine.hpp>

#include "ipc/task_queue.hpp"
#include "os/caller_memory.hpp"
#include "os/out_of_memory_kills.hpp"
#include "os/poller.hpp"
#include "parallelism.hpp"
#include "process/backlog.hpp"
#include "process/direct_worker.hpp"
#include "process/fork_server.hpp"
#include "process/slot_set.hpp"
#include "process/worker.hpp"
#include "respawn_policy.hpp"
#include "spare_policy.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <unordered_map>
#include <vector>

namespace bulkhead::process {

class Coordinator {
 public:
  Coordinator(std::unique_ptr<detail::TaskBody> body, const WorkOptions& options);
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  /// Forks the fork server, unless that stands or the first worker does without. Throws std::system_error.
  void start();
  bool wants_task();
  detail::ItemRow row();
  void add(std::uint64_t task, std::size_t count, std::size_t size);
  std::span<std::byte> large_room(std::size_t size);
  void add_large(std::uint64_t task);
  void add_failed(std::uint64_t task, Failure failure);
  void publish() { close_fill(); }
  void flush();

  detail::Wake wait(int input);
  std::span<detail::Completion> completions() noexcept { return completions_; }

  std::uint64_t outstanding() const noexcept { return admitted_ - settled_; }
  bool closed() const noexcept { return closed_.has_value(); }
  const Failure* why_closed() const noexcept { return closed_ ? &*closed_ : nullptr; }
  void finish();
  /// Reads no clock: the times stay 0 until the run has ended.
  WorkStatistics counts() const noexcept;
  /// With the times so far. In the thread that drives the run.
  WorkStatistics statistics() const noexcept;
  bool belongs_to_this_process() const noexcept;

 private:
  using Nanoseconds = std::chrono::nanoseconds;

  // Dealing (dealing.cpp)
  bool can_fill_on() const noexcept { return quota_ != 0 && filling_->lane().room() != nullptr; }
  bool may_deal_new();
  bool open_lane_to_fill();
  bool more_may_start() const noexcept;
  Worker* worker_to_fill(bool may_deepen);
  Worker* idle_worker();
  Worker* worker_with_room();
  template <class Fits>
  Worker* first_to_fill(SlotSet& among, std::size_t from, Fits&& fits);
  void recount(Worker& worker) noexcept;
  void recount_all() noexcept;
  std::size_t quota_of(Worker& worker) const noexcept;
  void close_fill();
  void publish_fill();
  void count_batch(std::uint64_t tasks) noexcept;
  std::uint64_t fed() const noexcept { return admitted_ - never_dealt_; }
  void note_added(std::size_t count);
  void look_at_input();
  bool awaits_births() const noexcept;
  void hear_of_births();
  enum class Among : std::uint8_t { all, idle };
  void deal_backlog(Among among = Among::all);
  void deal(Worker& worker, std::size_t most);
  void put(Worker& worker, const PendingTask& task);
  void balance();
  void take_back_from(Worker& worker, std::size_t most);
  static PendingTask pending_from(const ipc::Record& record);

  // Workers coming and going (workforce.cpp)
  Worker* start_worker();
  std::unique_ptr<Worker> ask_for_worker(Birth birth);
  std::size_t free_lane() const;
  void employ(std::unique_ptr<Worker> worker, std::size_t slot);
  void admit_newcomers();
  static constexpr std::chrono::milliseconds before_asking_again{200};  // after a refusal
  static void live_as_worker(void* coordinator, Cradle cradle);
  void be_refused(const std::string& why);
  std::unique_ptr<Worker> take_out(Worker& worker);
  void retire(Worker& worker);
  void kill_worker(Worker& worker);
  void end_worker(Worker& worker, KillReason reason, Nanoseconds grace);
  void close(Ending ending, std::string why);
  void stop_dealing(Ending ending, std::string why);

  // The one that stands by (spare.cpp)
  void prepare_for_successor() noexcept;
  void do_without_spare() noexcept;
  void dismiss_spare() noexcept;
  void note_for_spares(const Worker& dead) noexcept;
  void take_report_of_spare(const Report& report, os::ProcessHandle process);

  // Whose fault a death was (burial.cpp)
  void bury(Worker& worker);
  void settle_death(Worker& worker, const ipc::Record& culprit, const Death& death);
  Death death_of(const Worker& worker, const ipc::Record& culprit);
  void count_death(const Worker& worker, const Death& death);
  void redeal_rest(Worker& worker, const ipc::Record& culprit, bool all_suspect);

  // The fork server (fork_server_watch.cpp)
  bool make_server();
  void announce_server() const;
  void hear_server();
  void look_at_server();
  bool take_reports();
  void be_without_server();
  void take_report(const Report& report, os::Fd pidfd);
  void welcome(Worker& worker);
  void refuse_birth(Worker& worker, int error);
  bool has_left() const noexcept;
  void forget_server() noexcept;
  void lose_server();
  Worker* worker_numbered(std::uint64_t number) const noexcept;

  // Workers without one (without_server.cpp)
  bool may_fork_directly() const noexcept;
  void fork_direct_worker();
  bool is_direct(const Worker& worker) const noexcept;
  void watch_end(Worker& worker) noexcept;
  void reap_without_server(Worker& worker) noexcept;
  std::size_t end_what_came_to_us() noexcept;

  // The loop (coordinator.cpp)
  detail::Wake wait_for_completions(int input);
  bool poll();
  bool somebody_leaves() const;
  Nanoseconds patience() const;
  bool take_one_ready();
  bool take_chunk(Worker& worker);
  void pass_on_words(Worker& worker);
  void see_death_through(Worker& worker);
  void look_round();
  void look_at(Worker& worker);
  void look_at_ring(Worker& worker);
  void look_at_time(Worker& worker);
  void look_at_processor_time(Worker& worker);
  void look_whether_it_works(Worker& worker);
  void look_at_birth(Worker& worker);
  static constexpr std::chrono::seconds between_looks_for_deaths{1};
  void look_for_deaths();
  void end_late(Worker& worker, KillReason reason, Nanoseconds grace);
  bool has_ended(Worker& worker);
  void note_death(Worker& worker);
  void distrust(Worker& worker);
  void watch_input(int input);

  // Settling (settling.cpp)
  bool take_frames(Worker& worker);
  void take_plain_values(Worker& worker);
  std::size_t take_run(Worker& worker);
  bool take_frame(Worker& worker, const ipc::ParsedFrame& frame);
  bool take_answer(Worker& worker, const ipc::ParsedFrame& frame);
  bool try_again(Worker& worker, const ipc::Record& record, const Failure& failure);
  void notify_of(EventKind kind, const Worker& worker, const ipc::Record& record, const Failure& failure) const;
  bool take_left(Worker& worker, const ipc::ParsedFrame& frame, const ipc::Record& of);
  void announce_end(const Worker& worker, const Death& death, const ipc::Record& culprit) const;
  void announce_left(const Worker& worker, const ipc::Record& of, std::size_t count) const;
  void date_group(Worker& worker, std::size_t first);
  void settle_value(Worker& worker, const ipc::Record& record, std::span<const std::byte> bytes);
  void settle_failure(Worker& worker, const ipc::Record& record, Failure failure);
  void end_task(std::uint64_t task, unsigned attempts, int worker, Failure failure);
  void end_pending(PendingTask task, Failure failure);
  void release_item(const ipc::Record& record) noexcept;
  void left_one(Worker& worker);
  void announce_start(Worker& worker, std::uint64_t task, unsigned attempt);
  void notify(Event&& event) const;  // never copied: see add_value() in settling.cpp
  void notify_finished() const;
  void announce_what_is_lacking() const;

  // Not yet a completion.
  struct EndedTask {
    std::uint64_t task;
    unsigned attempts;
    int worker;
    Failure failure;
  };

  const std::unique_ptr<detail::TaskBody> body_;
  const WorkOptions options_;
  const std::size_t num_workers_;
  const std::uint64_t owner_;  // process: after a fork this object belongs to the parent alone
  ipc::TaskQueue queue_;
  os::Poller poller_;
  std::unique_ptr<ForkServer> server_;
  bool first_directly_;  // as long as there was no worker: the first is to be forked by this process
  std::optional<DirectWorker> direct_;
  os::WakeUp stop_wake_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_, on_drain_;

  std::vector<std::unique_ptr<Worker>> workers_;  // by slot; null: nobody
  // Forked while the others work, once one of them has ended, so that nobody waits for the next: it has a lane but no
  // slot, and has run nothing of the user's.
  std::unique_ptr<Worker> spare_;
  Nanoseconds may_prepare_at_{};
  bool admission_due_ = false;  // to one of them, which has no task yet
  std::size_t live_ = 0;
  // So that nobody has to be looked for among all: the sums of what they are counted as, and who may have room in his
  // lane. The sets hold too many rather than too few; who turns out to have none is taken out, and comes in again with
  // whatever changes that.
  Standing standing_{};
  SlotSet idle_, may_have_room_;
  std::size_t filled_last_ = 0;  // slot
  Nanoseconds balanced_{}, next_kill_ = Nanoseconds::max();
  std::uint64_t next_number_ = 0;
  std::size_t most_workers_;  // fewer than num_workers_ where the kernel grants no more
  Nanoseconds may_ask_again_at_ = Nanoseconds::max();
  RespawnBook respawn_;
  SparePolicy spare_policy_;
  Parallelism parallelism_;
  std::unordered_map<std::uint64_t, unsigned> out_of_memory_;  // how often, of tasks that may be tried again
  os::OutOfMemoryKills kills_for_memory_;

  Worker* filling_ = nullptr;
  std::size_t quota_ = 0;  // how many more the lane being filled should get
  std::optional<ipc::ArenaPlace> large_{};
  detail::InputPace input_pace_;

  Backlog backlog_;
  ipc::Scratch scratch_;
  std::vector<detail::Completion, os::UnforkedAllocator<detail::Completion>> completions_;
  std::deque<Failure> failures_;        // of the completions
  bool with_caller_ = true;             // the completions are, or there are none yet
  std::vector<EndedTask> ended_early_;  // meanwhile: they become completions when we are asked again
  std::deque<std::uint64_t> ready_;     // keys the poller gave that were not looked at yet
  int watched_input_ = -1;
  bool input_always_ready_ = false, input_ready_ = false;

  bool stopped_ = false;
  bool finishing_ = false;
  std::optional<Failure> closed_;  // stopped or given up: what every task ends with from here on
  std::uint64_t admitted_ = 0, settled_ = 0;
  std::uint64_t never_dealt_ = 0;       // admitted and failed before they could be
  std::uint64_t fed_when_counted_ = 0;  // the next batch begins behind these
  WorkStatistics counted_;  // what follows from nothing else; `dealt` is without the first time of each task
  std::optional<WorkStatistics> whole_;  // of the run that has ended
  Nanoseconds began_{}, cpu_at_start_{};
  Nanoseconds fork_answered_{};  // when the fork server last said what had become of an order
  Nanoseconds now_{}, next_look_{}, next_look_for_deaths_{}, next_heartbeat_{};
  std::optional<std::size_t> look_on_from_;  // the slot where a look round broke off: what was found is taken first
  std::minstd_rand random_;
};

}  // namespace bulkhead::process
