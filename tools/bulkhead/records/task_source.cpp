#include "records/task_source.hpp"

#include "records/json_task.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace bulkhead::tool {

TaskSource::TaskSource(RecordStream records, const TaskRules& rules) : records_(std::move(records)), rules_(rules) {
  if (rules.read_ahead || rules.shuffle) {
    read_all();
  } else if (const auto count = records_.total(); count && !rules.skip_empty && rules.budget == 0) {
    total_ = (*count + rules.records_per_task - 1) / rules.records_per_task;
  }
}

void TaskSource::read_all() {
  Record record;
  while (next_record(record, true) == Fetch::record) ahead_.push_back(std::move(record));
  if (rules_.shuffle) {
    std::mt19937_64 random(*rules_.shuffle);
    std::shuffle(ahead_.begin(), ahead_.end(), random);
  }
  if (rules_.budget == 0) total_ = (ahead_.size() + rules_.records_per_task - 1) / rules_.records_per_task;
  all_read_ = true;
}

Fetch TaskSource::next_record(Record& record, bool may_wait) {
  if (all_read_) {
    if (ahead_.empty()) return Fetch::end;
    record = std::move(ahead_.front());
    ahead_.pop_front();
    return Fetch::record;
  }
  std::vector<std::string>& fields = record.fields;
  try {
    for (;;) {
      const Fetch fetched = records_.next(fields, may_wait);
      const bool empty = std::all_of(fields.begin(), fields.end(), [](const std::string& f) { return f.empty(); });
      if (fetched == Fetch::record && rules_.skip_empty && empty) continue;
      if (fetched == Fetch::record && rules_.keep_texts) record.text = records_.text();
      return fetched;
    }
  } catch (const std::system_error& error) {
    read_error_ = error.what();
    return Fetch::end;
  }
}

// Records for one task: so many, and as many as its budget allows; one always.
Fetch TaskSource::gather(bool may_wait) {
  while (gathered_records_ < rules_.records_per_task) {
    Record record{.fields = spare_fields()};
    if (too_many_) {
      record = *std::exchange(too_many_, std::nullopt);
    } else if (const Fetch fetched = next_record(record, may_wait); fetched != Fetch::record) {
      reuse(std::move(record.fields));
      return fetched;
    }
    const std::size_t cost = rules_.budget > 0 ? rules_.cost(record.fields) : 0;
    if (gathered_records_ > 0 && gathered_cost_ + cost > rules_.budget && rules_.budget > 0) {
      too_many_ = std::move(record);
      break;
    }
    gathered_cost_ += cost;
    if (gathered_.empty())
      gathered_.swap(record.fields);
    else
      std::move(record.fields.begin(), record.fields.end(), std::back_inserter(gathered_));
    if (rules_.keep_texts) texts_.push_back(std::move(record.text));
    ++gathered_records_;
  }
  return Fetch::record;
}

Fetch TaskSource::fetch_new(bool may_wait) {
  const Fetch fetched = gather(may_wait);
  if (fetched == Fetch::pending) return fetched;
  if (fetched == Fetch::end) {
    ended_ = true;
    total_ = sequence_ + (gathered_records_ > 0 ? 1 : 0);
  }
  if (gathered_records_ == 0) return Fetch::end;
  Task& task = current_.emplace();
  task.sequence = ++sequence_;
  task.fields = std::move(gathered_);
  if (!texts_.empty()) task.own_extras().texts = std::move(texts_);
  current_was_looked_through_ = false;
  if (rules_.jsonl) read_task(task);
  gathered_.clear();
  texts_.clear();
  gathered_records_ = gathered_cost_ = 0;
  return Fetch::record;
}

// Asked anew at most every half a second: what it looks at changes no faster, and looking is not free.
bool TaskSource::admitted() {
  constexpr auto pause = std::chrono::milliseconds(500);
  if (!rules_.admits) return true;
  const auto now = Clock::now();
  if (now < asked_at_) return false;
  if (rules_.admits()) return true;
  asked_at_ = now + pause;
  return false;
}

bool TaskSource::look_through(std::uint64_t count, const std::function<bool(const Task&)>& skip) {
  while (sequence_ < count) {
    if (ended_ || fetch_new(true) != Fetch::record) return false;
    Task task = *std::exchange(current_, std::nullopt);
    if (skip(task))
      ++skipped_;
    else
      looked_through_.push_back(std::move(task));
  }
  return true;
}

bool TaskSource::fetch_again() {
  const auto now = Clock::now();
  const auto due = std::find_if(waiting_.begin(), waiting_.end(), [&](const Again& a) { return a.due <= now; });
  if (due == waiting_.end()) return false;
  current_ = std::move(due->task);
  waiting_.erase(due);
  return true;
}

Fetch TaskSource::fetch(bool may_wait) {
  if (current_) return Fetch::record;
  if ((rules_.spacing.count() > 0 && Clock::now() < not_before_) || !admitted()) return Fetch::pending;
  if (!waiting_.empty() && fetch_again()) return Fetch::record;
  if (!closed_ && !looked_through_.empty()) {
    current_ = std::move(looked_through_.front());
    looked_through_.pop_front();
    current_was_looked_through_ = true;
    return Fetch::record;
  }
  if (!closed_ && !ended_) {
    const Fetch fetched = fetch_new(may_wait);
    if (fetched != Fetch::end) return fetched;
  }
  return waiting_.empty() && out_.size() == 0 ? Fetch::end : Fetch::pending;
}

bool TaskSource::ready() { return fetch(false) != Fetch::pending; }

int TaskSource::wait_descriptor() noexcept {
  const auto now = Clock::now();
  const auto not_before = std::max(not_before_, rules_.admits ? asked_at_ : not_before_);
  const bool spaced = now < not_before;
  const int input = spaced || closed_ || ended_ || all_read_ ? -1 : records_.descriptor();
  Clock::time_point due = WaitSet::never;
  for (const Again& again : waiting_) due = std::min(due, again.due);
  if (spaced) due = due == WaitSet::never ? not_before : std::max(due, not_before);
  if (due == WaitSet::never) return input;
  return waiting_for_.wait_for(input, due);
}

bool TaskSource::at_end() {
  if (in_hand_) return false;
  for (;;) {
    const Fetch fetched = fetch(true);
    if (fetched != Fetch::pending) return fetched == Fetch::end;
    if (Clock::now() >= std::max(not_before_, asked_at_) && waiting_.empty())
      throw std::logic_error("the next task waits for a result, and nobody is taking results");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

const Task& TaskSource::front() {
  if (in_hand_) return out_.at(*in_hand_);
  if (at_end()) throw std::logic_error("there is no task left");
  in_hand_ = next_index_++;
  const Task& task = out_.put(*in_hand_, std::move(*current_));
  current_.reset();
  if (rules_.spacing.count() > 0) not_before_ = Clock::now() + rules_.spacing;
  return task;
}

Task TaskSource::take(std::size_t index) {
  if (in_hand_ == index) in_hand_.reset();
  return out_.take(index);
}

std::vector<std::string> TaskSource::spare_fields() {
  if (spare_fields_.empty()) return {};
  std::vector<std::string> fields = std::move(spare_fields_.back());
  spare_fields_.pop_back();
  return fields;
}

void TaskSource::again(Task task, std::chrono::milliseconds pause) {
  ++task.attempt;
  waiting_.push_back({Clock::now() + pause, std::move(task)});
}

std::vector<Task> TaskSource::close() {
  closed_ = true;
  std::vector<Task> dropped;
  for (Again& again : waiting_) dropped.push_back(std::move(again.task));
  waiting_.clear();
  if (current_ && current_->attempt > 1)
    dropped.push_back(std::move(*current_));
  else if (current_ && current_was_looked_through_)
    looked_through_.push_front(std::move(*current_));
  else if (current_)
    --sequence_;  // it was never handed out
  current_.reset();
  return dropped;
}

}  // namespace bulkhead::tool
