#include "os/out_of_memory_rank.hpp"

#include "os/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace bulkhead::os {

namespace {

constexpr int ahead = 500, foremost = 1000;  // of the kernel's: 1000 stand for all the memory there is

void take_rank(const Fd& file, const char* rank) noexcept {
  if (file) static_cast<void>(!::pwrite(file.get(), rank, std::strlen(rank), 0));
}

}  // namespace

OutOfMemoryRank::OutOfMemoryRank() {
  Fd file(::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC));
  const auto usual = read_small_file(file, usual_);
  int own = 0;
  if (!usual || std::from_chars(usual->data(), usual->data() + usual->size(), own).ec != std::errc()) return;
  std::to_chars(raised_.data(), raised_.data() + raised_.size() - 1, std::min(std::max(own, 0) + ahead, foremost));
  file_ = kept_from_children(std::move(file));
}

OutOfMemoryRank::Raised::Raised(const OutOfMemoryRank& rank) noexcept : rank_(rank) {
  take_rank(rank_.file_, rank_.raised_.data());
}

OutOfMemoryRank::Raised::~Raised() { take_rank(rank_.file_, rank_.usual_.data()); }

}  // namespace bulkhead::os
