#include "rules/median_timeout.hpp"

#include <algorithm>
#include <atomic>

namespace bulkhead::tool {

namespace {

constexpr std::size_t sample_size = 1024, fewest = 3;
using Shared = std::atomic<std::int64_t>;
static_assert(Shared::is_always_lock_free);

}  // namespace

MedianTimeout::MedianTimeout(double percent) : percent_(percent) {
  if (wanted()) new (shared_.emplace(sizeof(Shared)).bytes().data()) Shared(0);
}

void MedianTimeout::add(std::chrono::nanoseconds ran) {
  if (!wanted()) return;
  if (sample_.size() < sample_size)
    sample_.push_back(ran.count());
  else if (const std::uint64_t place = random_() % (seen_ + 1); place < sample_size)
    sample_[place] = ran.count();
  ++seen_;
  const bool worth_it = sample_.size() < sample_size || seen_ % 64 == 0;
  if (sample_.size() < fewest || !worth_it) return;
  const auto middle = sample_.begin() + static_cast<std::ptrdiff_t>(sample_.size() / 2);
  std::nth_element(sample_.begin(), middle, sample_.end());
  const double limit = static_cast<double>(*middle) / 1e6 * percent_ / 100;
  reinterpret_cast<Shared*>(shared_->bytes().data())
      ->store(std::max<std::int64_t>(1, static_cast<std::int64_t>(limit)));
}

std::chrono::milliseconds MedianTimeout::current() const {
  if (!wanted()) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(reinterpret_cast<const Shared*>(shared_->bytes().data())->load());
}

}  // namespace bulkhead::tool
