// The executor of processes as the templates see it: bytes in, outcomes as bytes out. No type of the user's, no POSIX.
#pragma once

#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>
#include <bulkhead/stop_request.hpp>
#include <bulkhead/work_statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace bulkhead::detail {

/// Has place for a result that is larger than ResultSlot::room.
class LargeRoom {
 public:
  virtual std::span<std::byte> large_room(std::size_t size) = 0;

 protected:
  ~LargeRoom() = default;
};

/// Where a worker puts the result of the task in hand.
struct ResultSlot {
  std::byte* place = nullptr;      // results that fit are encoded here, where they are sent from
  std::size_t room = 0;            // bytes of it
  LargeRoom* large = nullptr;      // others where this says
  std::size_t size = 0;            // bytes of the result
  std::span<std::byte> elsewhere;  // it is not at `place`, but here
  std::optional<Failure> failure;  // or there is none, for a reason

  /// How far it is: emit_output() writes where it is composed. Not kept of numbers, which run no code of the user's.
  enum class Stage : std::uint8_t { before, encoding, encoded };
  Stage stage = Stage::before;

  void encode_at(std::span<std::byte> bytes) noexcept { place = bytes.data(), room = bytes.size(); }
};

/// What a work function takes to be told of a stop. Only for one that takes something does a worker handle TERM.
enum class StopForm : std::uint8_t { none, request, token };

/// What is done with one item, in a worker: decode, call, encode. Whatever it throws is caught inside.
class TaskBody {
 public:
  virtual ~TaskBody() = default;
  /// Returns the value's size where it stands at `result.place`, not_in_place where `result` says more.
  virtual std::size_t run(std::span<const std::byte> item, ResultSlot& result) = 0;
  static constexpr std::size_t not_in_place = static_cast<std::size_t>(-1);
  virtual StopForm stop_form() const noexcept = 0;
};

/// In a worker process: the stop of the task in hand, in either form.
std::stop_token worker_stop_token() noexcept;
StopRequest worker_stop_request() noexcept;

/// Places for encoded items, one behind the other.
struct ItemRow {
  static constexpr std::size_t room = 8u << 10;  // bytes at each place
  static constexpr std::size_t head = 24;        // skipped behind what was added, before the next item

  std::byte* place = nullptr;  // of the first
  std::byte* last = nullptr;   // no item is begun behind it
  std::size_t most = 0;        // items; 0: none can be taken now

  /// From the place of an item of `size` bytes to the next one.
  static constexpr std::size_t pitch(std::size_t size) noexcept {
    constexpr std::size_t alignment = 8;
    return size <= alignment ? alignment : (size + alignment - 1) / alignment * alignment;
  }
};

/// A task that ended, or `count` consecutive ones from `task` on that ended alike, with values of one size. `bytes` and
/// `failure` are valid until the engine is asked again.
struct Completion {
  std::uint64_t task = 0;
  const std::byte* data = nullptr;
  std::uint32_t size = 0;  // of each value
  std::uint32_t count = 1;
  Failure* failure = nullptr;
  PackedStats stats;         // how they ended is in here
  std::uint32_t stride = 0;  // from each value to the next

  std::span<const std::byte> bytes(std::size_t which = 0) const noexcept { return {data + which * stride, size}; }
};

/// Why ProcessEngine::wait() came back. `ask_input`: the input may be ready now.
enum class Wake : std::uint8_t { completions, ask_input, idle };

/// Coordinator and workers of one run. Used by one thread, which is also the one that forks: it must live as long as
/// the engine, since workers end with it. Workers start with the first task.
///
/// One turn: while there is a row() for them, encode items there and add() them; then wait(), and take completions().
class ProcessEngine {
 public:
  /// Throws std::invalid_argument for options no process can honour, std::system_error where set-up fails.
  ProcessEngine(std::unique_ptr<TaskBody> body, const WorkOptions& options);
  /// Ends every worker, at once, and waits for it.
  ~ProcessEngine();
  ProcessEngine(const ProcessEngine&) = delete;
  ProcessEngine& operator=(const ProcessEngine&) = delete;

  /// Forks the process that will fork the workers, from the calling thread; before any task. Throws std::system_error.
  void start();
  /// Whether another task can be taken now without any worker's lane growing deeper than it should. Starts no worker.
  bool wants_task();
  /// Where the next items go, until anything but add() and add_failed() is called: the row goes on ItemRow::head
  /// bytes behind what was added. One that turns out larger than ItemRow::room: add() those before it, and ask
  /// large_room() for the exact size.
  ItemRow row();
  /// The first `count` items of the row, all of `size` bytes, as tasks from number `task` on.
  void add(std::uint64_t task, std::size_t count, std::size_t size);
  /// Place for an item of `size` bytes; empty if there is none now: keep the item and wait() for tasks to end.
  std::span<std::byte> large_room(std::size_t size);
  /// The item that was encoded there; the lane must have had room for a row.
  void add_large(std::uint64_t task);
  /// A task that failed before it could be dealt: it ends, with this, in its turn.
  void add_failed(std::uint64_t task, Failure failure);
  /// Lets workers see what they were dealt.
  void publish();
  /// The same, before the input may keep us waiting: also for the births of workers that it was dealt to.
  void flush();

  /// Waits until a task has ended, or until the input may have something: `input` is a descriptor that is readable
  /// then, or `ask_again`: at the next heartbeat, or `no_input`. Idle: nothing is outstanding, and no input waited for.
  Wake wait(int input = no_input);
  static constexpr int no_input = -1, ask_again = -2;
  std::span<Completion> completions() noexcept;  // see Completion::count

  std::uint64_t outstanding() const noexcept;
  /// Stop was requested, or the run was given up: what would be added ends at once, as cancelled or abandoned.
  bool closed() const noexcept;
  /// With what; null while it is not.
  const Failure* why_closed() const noexcept;
  /// The end of a run: checks that as many tasks ended as were added. Throws std::logic_error if not.
  void finish();

  /// So far, without the times: asking reads no clock. Of the whole run, with them, once that was finished.
  WorkStatistics counts() const noexcept;
  /// So far, with the times.
  WorkStatistics statistics() const noexcept;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace bulkhead::detail
