// Hands out tasks: new ones from the records, failed ones again. The stream of work pulls from here.
#pragma once

#include "records/records.hpp"
#include "records/task.hpp"
#include "records/tasks_out.hpp"

#include <bulkhead/wait_set.hpp>
#include <bulkhead/work_clock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

namespace bulkhead::tool {

struct TaskRules {
  bool skip_empty = false;           ///< -r
  std::size_t records_per_task = 1;  ///< -n; with a budget: at most
  std::size_t budget = 0;            ///< -X: what the records of one task may cost together; 0: anything
  std::function<std::size_t(const std::vector<std::string>& fields)> cost{};  ///< -X: of one record
  bool jsonl = false;                                                         ///< --input jsonl: a record is an object
  std::function<bool()> admits{};          ///< --load, --mem-free: whether a task may start now
  std::chrono::milliseconds spacing{0};    ///< --delay, between starts
  std::optional<std::uint64_t> shuffle{};  ///< --shuf: the seed
  bool read_ahead = false;                 ///< the total is needed: read all records first
  bool keep_texts = false;                 ///< TaskExtras::texts are wanted
};

/// An input range of tasks that does not end while one that is out may still come back to be tried again.
///
/// The place of a task in this range is its stream index; take() turns it back into the task. A task is out from the
/// moment it is looked at. Single-threaded.
class TaskSource {
  using Clock = WorkClock;

 public:
  TaskSource(RecordStream records, const TaskRules& rules);

  class Iterator {
   public:
    using value_type = Task;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(TaskSource* source) : source_(source) {}
    const Task& operator*() const { return source_->front(); }
    Iterator& operator++() {
      source_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return source_->at_end(); }

   private:
    TaskSource* source_ = nullptr;
  };
  /// This range as a light-weight view, as range adaptors want it.
  class View : public std::ranges::view_base {
   public:
    explicit View(TaskSource& source) : source_(&source) {}
    Iterator begin() const { return Iterator(source_); }
    std::default_sentinel_t end() const { return {}; }
    bool ready() const { return source_->ready(); }
    int wait_descriptor() const noexcept { return source_->wait_descriptor(); }

   private:
    TaskSource* source_;
  };
  View tasks() { return View(*this); }

  /// True: the next task, or the end, is there without waiting.
  bool ready();
  /// What to poll until then; -1: only a result or the clock can change it.
  int wait_descriptor() noexcept;

  /// The task that went out as number `index` of the stream.
  const Task& at(std::size_t index) const { return out_.at(index); }
  /// It has come back, for good or to be given to again().
  Task take(std::size_t index);
  /// The fields of a task that is done with: their memory serves another.
  void reuse(std::vector<std::string>&& fields) {
    if (fields.capacity() != 0 && spare_fields_.size() < most_spare) spare_fields_.push_back(std::move(fields));
  }
  /// To be handed out once more after `pause`, as the next attempt.
  void again(Task task, std::chrono::milliseconds pause);
  /// Before anything is handed out: reads the first `count` tasks. Those that `skip` is true for are never handed out.
  /// Returns false where there are fewer.
  bool look_through(std::uint64_t count, const std::function<bool(const Task&)>& skip);
  std::uint64_t skipped() const noexcept { return skipped_; }
  /// Read, and not handed out: tasks that look_through() left, when closed.
  std::size_t held_back() const noexcept { return looked_through_.size(); }

  /// Hands out nothing more. Returns the tasks that were waiting for another attempt.
  std::vector<Task> close();

  /// The header that the records had, where their texts are kept.
  const std::string& header_text() const noexcept { return records_.header_text(); }
  bool closed() const noexcept { return closed_; }
  /// Tasks handed out so far, and how many there will have been at the end if that is known.
  std::uint64_t handed_out() const noexcept { return sequence_; }
  std::optional<std::uint64_t> total() const noexcept { return total_; }
  std::size_t outstanding() const noexcept { return out_.size(); }
  /// Why the records ended before their end; empty: they did not.
  const std::string& read_error() const noexcept { return read_error_; }

 private:
  struct Again {
    Clock::time_point due;
    Task task;
  };
  struct Record {
    std::vector<std::string> fields{};
    std::string text{};
  };

  Fetch fetch(bool may_wait);
  bool fetch_again();
  Fetch gather(bool may_wait);
  bool admitted();
  Fetch fetch_new(bool may_wait);
  Fetch next_record(Record& record, bool may_wait);
  void read_all();
  const Task& front();
  std::vector<std::string> spare_fields();
  void next() noexcept { in_hand_.reset(); }
  bool at_end();

  RecordStream records_;
  TaskRules rules_;
  std::deque<Record> ahead_;
  static constexpr std::size_t most_spare = 4096;
  std::vector<std::vector<std::string>> spare_fields_;
  std::vector<std::string> gathered_, texts_;  // of a task of several records
  std::size_t gathered_records_ = 0, gathered_cost_ = 0;
  std::optional<Record> too_many_;  // the record that did not fit any more
  std::optional<Task> current_;     // fetched, not yet looked at
  bool current_was_looked_through_ = false;
  std::optional<std::size_t> in_hand_;  // looked at, the iterator still stands on it
  std::vector<Again> waiting_;
  std::deque<Task> looked_through_;
  std::uint64_t skipped_ = 0;
  TasksOut out_;
  std::size_t next_index_ = 0;
  std::uint64_t sequence_ = 0;
  std::optional<std::uint64_t> total_;
  Clock::time_point not_before_{}, asked_at_{};
  WaitSet waiting_for_;
  bool ended_ = false, closed_ = false, all_read_ = false;
  std::string read_error_;
};

}  // namespace bulkhead::tool
