#include "ipc/annex.hpp"

#include "os/memory_file.hpp"

#include <algorithm>

namespace bulkhead::ipc {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t granule = 64u << 10;       // occupied at a time, at least
constexpr std::size_t used_at_least = 2u << 20;  // before places are given out again from the beginning
constexpr std::size_t results_at_once = 2;       // one is taken while the next is composed

constexpr std::size_t rounded_up(std::size_t size, std::size_t to) { return (size + to - 1) / to * to; }

}  // namespace

std::byte* Annex::place(std::size_t size) {
  if (size > bytes_) return nullptr;
  const std::size_t needed = rounded_up(std::max<std::size_t>(size, 1), alignment);
  largest_ = std::max(largest_, needed);
  given_ = find(needed);
  if (given_ == npos || !occupy(given_ + needed)) return nullptr;
  return memory_ + given_;
}

void Annex::keep(std::size_t size, std::uint64_t end) {
  kept_.push_back({given_, given_ + rounded_up(std::max<std::size_t>(size, 1), alignment), end});
}

void Annex::release(std::uint64_t acknowledged) noexcept {
  while (!kept_.empty() && kept_.front().stream_end <= acknowledged) kept_.pop_front();
}

// Behind the youngest, and from the beginning again where the end has come; never past the oldest.
std::size_t Annex::find(std::size_t size) const noexcept {
  const std::size_t limit = std::min(bytes_, std::max(used_at_least, results_at_once * largest_));
  if (kept_.empty()) return size <= bytes_ ? 0 : npos;
  const std::size_t oldest = kept_.front().begin, behind = kept_.back().end;
  if (kept_.back().begin < oldest) return behind + size <= oldest ? behind : npos;
  if (behind + size <= limit) return behind;
  return size <= oldest ? 0 : npos;
}

// Where there is no memory for it, the annex ends there.
bool Annex::occupy(std::size_t end) noexcept {
  if (end <= occupied_) return true;
  const std::size_t enough = std::min(rounded_up(end, granule), bytes_);
  if (os::occupy_pages(memory_ + occupied_, enough - occupied_)) {
    occupied_ = enough;
    return true;
  }
  bytes_ = occupied_;
  return false;
}

}  // namespace bulkhead::ipc
