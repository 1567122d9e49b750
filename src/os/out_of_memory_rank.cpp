#include "os/out_of_memory_rank.hpp"

#include "os/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace bulkhead::os {

namespace {

constexpr int ahead = 500, foremost = 1000;  // of the kernel's: 1000 stand for all the memory there is

void take_rank(const Fd& file, std::string_view rank) noexcept {
  if (file) static_cast<void>(!::pwrite(file.get(), rank.data(), rank.size(), 0));
}

}  // namespace

OutOfMemoryRank::OutOfMemoryRank() {
  Fd file(::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC));
  usual_ = read_small_file(file);
  int own = 0;
  if (std::from_chars(usual_.data(), usual_.data() + usual_.size(), own).ec != std::errc()) return;
  raised_ = std::to_string(std::min(std::max(own, 0) + ahead, foremost));
  file_ = kept_from_children(std::move(file));
}

OutOfMemoryRank::Raised::Raised(const OutOfMemoryRank& rank) noexcept : rank_(rank) {
  take_rank(rank_.file_, rank_.raised_);
}

OutOfMemoryRank::Raised::~Raised() { take_rank(rank_.file_, rank_.usual_); }

}  // namespace bulkhead::os
