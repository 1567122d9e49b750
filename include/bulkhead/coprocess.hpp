// A program that is started once and asked many times: a record a line to it, an answer a line from it.
#pragma once

#include <bulkhead/command.hpp>
#include <bulkhead/stop_request.hpp>
#include <bulkhead/task_output.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

/// How asking ended. All but `answered` and `not_a_line` cost the co-process.
enum class AnswerEnding : std::uint8_t {
  answered,
  not_a_line,   ///< the record holds a newline; it was not asked
  not_started,  ///< `start_error` says why
  died,         ///< `signal` or `exit_code` says how
  no_answer,    ///< it closed its output
  unasked,      ///< it said more than the one line, or said it before it had read the record
  too_long,     ///< an answer of more than `Coprocess::longest_answer` bytes
  timed_out,
  cancelled,
  limit_exceeded,  ///< `limit` says which
  output_lost,     ///< its standard error could not be stored; `start_error` says why
};

/// One answer, or what became of the co-process instead.
struct Answer {
  AnswerEnding ending = AnswerEnding::answered;
  std::string text{};              ///< without its newline
  std::optional<int> exit_code{};  ///< died, if it exited
  int signal = 0;                  ///< died, if a signal ended it
  int start_error = 0;             ///< errno
  LimitHit limit{};                ///< one of Command::limits
  std::string start_problem{};     ///< more words on that, where errno says little
  bool leaked = false;             ///< died, and left processes running; they have been ended
  std::int64_t started_ns = 0;     ///< nanoseconds since 1970: when it was asked
  std::int64_t ran_ns = 0;
  ByteRange error{};  ///< what it wrote to its standard error meanwhile, in Command::error

  template <class Archive>
  void serialize(Archive& archive) {
    archive(ending, text, exit_code, signal, start_error, limit, start_problem, leaked, started_ns, ran_ns, error);
  }
};

/// Starts its program when it is first asked, and afresh when it is asked after the program has ended. One thread at a
/// time; that thread must outlive the program, which is bound to end with it.
///
/// What Command says holds here with these differences: `timeout` is for one answer, from the asking on (a first
/// answer includes the start); standard output is the answers, so that `output` is not used; `on_lines` is given
/// channel 2 only. Of its `limits` those of memory, files and descriptors are for the program as long as it runs, and
/// whoever asks when it is seen beyond its memory bears it; `cpu_time` is for one answer, and so is `output`, which
/// counts the answer and the standard error that passes through us. With `owns_children` a sudden end of this process'
/// parent ends everything the program started, between two answers too.
class Coprocess {
 public:
  static constexpr std::size_t longest_answer = 64u << 20;  ///< bytes

  explicit Coprocess(Command command);
  /// As finish().
  ~Coprocess();
  Coprocess(const Coprocess&) = delete;
  Coprocess& operator=(const Coprocess&) = delete;

  /// Asks it and waits for the answer, or for the end of it. A program that ended, or spoke unasked, before it had
  /// read a byte of this record is replaced and the new one is asked, since that was none of this record's doing; but
  /// one that has never answered is not given a second chance.
  ///
  /// A second line that comes late is told from the answer to the next record: unless the program is seen to wait for
  /// its input, which costs a system call, the newline of a record is held back until it has taken what comes before
  /// it; a line that is there by then is nobody's answer. What is not seen: a late line of another thread or process
  /// than the one that reads; one before an empty record, where nothing comes before the newline; half a line, which is
  /// taken for the beginning of the answer of a program that answers while it reads. Throws std::system_error only
  /// where this process itself is out of descriptors or memory. Where it starts the program it takes 64 KiB of the
  /// calling thread's stack.
  Answer ask(std::string_view record, const StopRequest& stop = {});

  /// Closes its input and waits `kill_grace` for it to end by itself; then TERM, and KILL after another `kill_grace`.
  /// The next ask() starts a fresh one.
  void finish();

 private:
  class Program;
  Command command_;
  std::unique_ptr<Program> program_;  // empty: none is running
};

}  // namespace bulkhead
