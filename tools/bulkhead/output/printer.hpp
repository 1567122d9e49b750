// Task output on its way out: whole tasks or whole lines, as they end or in the order of the records.
#pragma once

#include "output/console.hpp"
#include "records/template.hpp"
#include "rules/attempt.hpp"

#include <bulkhead/task_output.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

class Printer {
 public:
  Printer(const Settings& settings, std::size_t slots, Console& console);

  /// The files in which a slot's tasks leave their output. Made before the workers are.
  struct SlotFiles {
    TaskOutput output, error;
    std::uint64_t output_end = 0, error_end = 0;  // of the last task that is accounted for
  };
  SlotFiles& files(int slot) { return slots_.at(static_cast<std::size_t>(slot)); }
  bool stores() const noexcept { return !slots_.empty(); }

  /// A worker brought no ranges, so they are what has been written since the task before. Both fills and accounts.
  void claim_rest(Attempt& attempt);
  void account(const Attempt& attempt);
  /// The last lines of its standard error, for the report.
  std::string error_tail(const Attempt& attempt) const;

  /// This attempt is its task's last. Throws ReaderGone, std::system_error.
  void deliver(const Attempt& attempt);
  /// There is and will be no output of this task. Called for ascending numbers, before anything is delivered.
  void skip(std::uint64_t sequence);
  /// This attempt's output is not wanted: the task is tried again.
  void discard(const Attempt& attempt);
  /// Whole lines of a running task.
  void pass_lines(const Task& task, int slot, int channel, std::string_view lines);
  /// What was held back for a record that never came to an end.
  void flush();

 private:
  struct Held {
    int slot = 0;
    ByteRange output{}, error{};
    std::string result{}, tag{};
  };
  void pass_skipped();
  void print(const Held& held);
  void print(int slot, ByteRange output, ByteRange error, const std::string& result, const std::string& tag);
  void pass_on();
  std::string tag_of(const Task& task, int slot) const;

  Console& console_;
  bool keep_order_, tag_;
  std::optional<CommandTemplate> tag_format_;
  std::vector<SlotFiles> slots_;
  std::map<std::uint64_t, Held> held_;
  std::deque<ByteRange> skipped_;  // ranges of numbers, ascending
  std::uint64_t next_ = 1;
};

}  // namespace bulkhead::tool
