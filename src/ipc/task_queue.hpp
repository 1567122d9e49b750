// The queue of tasks: one sealed memory file with a lane for each worker and an arena for large items.
//
// The coordinator's mapping is the only writable one that can ever exist: the file is sealed against new ones as soon
// as that stands, and children do not inherit it. Workers map it from their own lane on, to the arena's end, read-only;
// the kernel holds them to it. There is no lock in it, so nothing a dying worker could leave held.
#pragma once

#include "ipc/lane.hpp"
#include "ipc/mapping.hpp"
#include "os/memory_file.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace bulkhead::ipc {

class TaskQueue {
 public:
  /// `arena_bytes` are reserved, not occupied. Throws std::system_error where the kernel has no memory file for us.
  TaskQueue(std::size_t lanes, std::size_t arena_bytes);
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// Starts a lane afresh for a new worker. Throws std::system_error(ENOMEM) where memory is short. A lane
  /// that grows and finds no memory stays as it is.
  LaneWriter open_lane(std::size_t lane);

  /// Place for a large item, or nothing while the arena is full. Release gives it back.
  std::optional<ArenaPlace> allocate(std::size_t size);
  void release(const ArenaPlace& place) noexcept;
  std::span<std::byte> bytes(const ArenaPlace& place) const noexcept;

  /// When nobody reads it any more: what the destructor would do first, and it alone may follow.
  void unmap() noexcept;

  const os::MemoryFile& file() const noexcept { return file_; }
  std::size_t arena_offset() const noexcept { return arena_offset_; }
  std::size_t arena_bytes() const noexcept { return arena_bytes_; }

 private:
  class Arena;

  std::size_t occupy_lane(std::size_t lane, std::size_t ring_bytes);
  std::size_t lengthen_lane(std::size_t lane, std::size_t ring_bytes) noexcept;

  std::size_t arena_offset_, arena_bytes_;
  os::MemoryFile file_;
  Mapping mapping_;
  std::vector<std::size_t> ring_bytes_;  // that are occupied, of each lane's
  std::unique_ptr<Arena> arena_;         // made with the first large item: a queue of small ones pays nothing for it
};

/// A worker's view: its lane and the arena, both read-only. One mapping for both, since a worker's start and end pay
/// for each.
class TaskQueueView {
 public:
  TaskQueueView(const TaskQueue& queue, std::size_t lane);
  LaneReader lane() const noexcept { return LaneReader(mapping_.data()); }
  std::span<const std::byte> item(const Record& record) const noexcept {
    if (!record.in_arena()) return record.inlined();
    return {mapping_.data() + arena_at_ + record.place().offset, record.place().size};
  }

 private:
  std::size_t arena_at_;
  Mapping mapping_;
};

}  // namespace bulkhead::ipc
