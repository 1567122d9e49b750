#include "ipc/annex.hpp"

#include "os/memory_file.hpp"

#include <algorithm>

namespace bulkhead::ipc {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t granule = 64u << 10;       // occupied at a time, at least
constexpr std::size_t used_at_least = 2u << 20;  // before places are given out again from the beginning
constexpr std::size_t results_at_once = 2;       // one is taken while the next is composed
constexpr std::size_t much_more = 4;             // than is needed now: then it is given back

constexpr std::size_t rounded_up(std::size_t size, std::size_t to) { return (size + to - 1) / to * to; }

}  // namespace

std::byte* Annex::place(std::size_t size) {
  if (!places_.empty() && places_.back().stream_end == unclaimed) places_.pop_back();
  const std::size_t needed = rounded_up(std::max<std::size_t>(size, 1), alignment);
  if (places_.empty()) give_back_beyond(enough_for(needed));
  const std::size_t begin = find(needed);
  if (begin == nowhere || !occupy(begin + needed)) return nullptr;
  places_.push_back({begin, begin + needed});
  return memory_ + begin;
}

void Annex::release(std::uint64_t acknowledged) noexcept {
  while (!places_.empty() && places_.front().stream_end <= acknowledged) places_.pop_front();
}

std::size_t Annex::enough_for(std::size_t size) const noexcept {
  for (const Place& place : places_) size = std::max(size, place.end - place.begin);
  return std::min(bytes_, std::max(used_at_least, results_at_once * size));
}

// Behind the youngest, and from the beginning again where there has been enough; never past the oldest.
std::size_t Annex::find(std::size_t size) const noexcept {
  if (places_.empty()) return size <= bytes_ ? 0 : nowhere;
  const std::size_t oldest = places_.front().begin, behind = places_.back().end;
  if (places_.back().begin < oldest) return behind + size <= oldest ? behind : nowhere;
  // All places are looked at only where that matters: once a turn, not for each result.
  if (behind + size <= std::min(bytes_, used_at_least) || behind + size <= enough_for(size)) return behind;
  return size <= oldest ? 0 : nowhere;
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

void Annex::give_back_beyond(std::size_t end) noexcept {
  end = rounded_up(end, granule);
  if (occupied_ / much_more <= end) return;
  os::give_back_pages(memory_ + end, occupied_ - end);
  occupied_ = end;
}

}  // namespace bulkhead::ipc
