#include "ipc/task_queue.hpp"

#include "os/at_birth.hpp"

#include <algorithm>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/null_mutex.hpp>
#include <cerrno>
#include <new>
#include <system_error>

namespace bulkhead::ipc {

namespace bip = boost::interprocess;

// Allocation inside the arena, by the coordinator alone: Boost's allocator, without a lock. Not by way of its managed
// buffer: with that come Boost's spin locks, for which each program that is linked with them asks, before main(), how
// many processors there are (a file and four pages: 0.1 ms).
class TaskQueue::Arena {
 public:
  Arena(const os::MemoryFile& file, std::size_t offset, std::byte* base, std::size_t size)
      : file_(file), offset_(offset), base_(base), size_(size) {
    if (!occupy_up_to(slack) || !file_.occupy(offset_ + size_ - end_block, end_block))
      throw std::system_error(ENOMEM, std::generic_category(), "fallocate of the task arena");
    heap_ = ::new (static_cast<void*>(base_)) Heap(size_, 0);
  }

  std::byte* allocate(std::size_t size) {
    // Best fit takes a hole below the high-water mark or what follows it: with this much occupied neither can fault.
    if (!occupy_up_to(std::min(size_, high_ + size + slack))) return nullptr;
    void* place = heap_->allocate_aligned(size, 64);
    if (!place) return nullptr;
    auto* bytes = static_cast<std::byte*>(place);
    high_ = std::max(high_, static_cast<std::size_t>(bytes + size - base_));
    return bytes;
  }
  void release(std::byte* place) noexcept { heap_->deallocate(place); }

 private:
  struct NoLocks {
    using mutex_type = bip::null_mutex;
    using recursive_mutex_type = bip::null_mutex;
  };
  using Heap = bip::rbtree_best_fit<NoLocks>;      // at the arena's beginning; goes with the memory
  static constexpr std::size_t slack = 64u << 10;  // the allocator's own headers, but for
  static constexpr std::size_t end_block = 64;     // the one behind all memory

  bool occupy_up_to(std::size_t end) {
    if (end <= occupied_) return true;
    if (!file_.occupy(offset_ + occupied_, end - occupied_)) return false;
    occupied_ = end;
    return true;
  }

  const os::MemoryFile& file_;
  std::size_t offset_;
  std::byte* base_;
  std::size_t size_;
  std::size_t high_ = slack, occupied_ = 0;
  Heap* heap_ = nullptr;
};

TaskQueue::TaskQueue(std::size_t lanes, std::size_t arena_bytes)
    : arena_offset_(lanes * lane_bytes),
      arena_bytes_(arena_bytes),
      file_("bulkhead-queue", arena_offset_ + arena_bytes),
      mapping_(file_, Access::read_write, 0, arena_offset_ + arena_bytes),
      ring_bytes_(lanes) {
  file_.seal();
}

TaskQueue::~TaskQueue() = default;

LaneWriter TaskQueue::open_lane(std::size_t lane) {
  const std::size_t there = occupy_lane(lane, ring_bytes_at_first);
  if (there == 0) throw std::system_error(ENOMEM, std::generic_category(), "fallocate of a task lane");
  return LaneWriter(mapping_.data() + lane * lane_bytes, there,
                    [this, lane](std::size_t up_to) { return lengthen_lane(lane, up_to); });
}

// Returns how many bytes of its ring there are then.
std::size_t TaskQueue::occupy_lane(std::size_t lane, std::size_t ring_bytes) {
  std::size_t& there = ring_bytes_[lane];
  if (ring_bytes <= there) return there;
  const std::size_t begin = there == 0 ? 0 : lane_header_bytes + there;
  if (file_.occupy(lane * lane_bytes + begin, lane_header_bytes + ring_bytes - begin)) there = ring_bytes;
  return there;
}

// What can go wrong besides short memory is no reason to end: the lane works as it is.
std::size_t TaskQueue::lengthen_lane(std::size_t lane, std::size_t ring_bytes) noexcept {
  try {
    return occupy_lane(lane, ring_bytes);
  } catch (...) {
    return ring_bytes_[lane];
  }
}

std::optional<ArenaPlace> TaskQueue::allocate(std::size_t size) {
  std::byte* const base = mapping_.data() + arena_offset_;
  if (!arena_) arena_ = std::make_unique<Arena>(file_, arena_offset_, base, arena_bytes_);
  std::byte* const place = arena_->allocate(std::max<std::size_t>(size, 1));
  if (!place) return std::nullopt;
  return ArenaPlace{static_cast<std::uint64_t>(place - base), size};
}

void TaskQueue::release(const ArenaPlace& place) noexcept {
  arena_->release(mapping_.data() + arena_offset_ + place.offset);
}

void TaskQueue::unmap() noexcept {
  arena_.reset();
  mapping_ = {};
}

std::span<std::byte> TaskQueue::bytes(const ArenaPlace& place) const noexcept {
  return {mapping_.data() + arena_offset_ + place.offset, place.size};
}

BULKHEAD_AT_BIRTH TaskQueueView::TaskQueueView(const TaskQueue& queue, std::size_t lane)
    : arena_at_(queue.arena_offset() - lane * lane_bytes),
      mapping_(queue.file(), Access::read_only, lane * lane_bytes, arena_at_ + queue.arena_bytes()) {}

}  // namespace bulkhead::ipc
