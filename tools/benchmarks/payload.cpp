// Bytes in and the same bytes out: how much a second goes each way, by the size of items and results.
#include "bare_transport.hpp"
#include "checked_transport.hpp"
#include "subject.hpp"

#include <bulkhead/work.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t page = 4096;

/// A few items that differ at every page, used over and over.
class Items {
 public:
  explicit Items(std::size_t bytes) : items_(bytes < 64 * page ? 64 : 4, std::string(bytes, 'x')) {
    for (std::size_t i = 0; i < items_.size(); ++i)
      for (std::size_t at = 0; at + 8 <= bytes; at += page) stamp(items_[i], at, i);
  }
  const std::string& operator[](std::size_t i) const { return items_[i % items_.size()]; }

  /// Looks at eight bytes of every page.
  void check(std::size_t i, const std::string& result) const {
    const std::string& item = (*this)[i];
    bool same = result.size() == item.size();
    for (std::size_t at = 0; same && at + 8 <= item.size(); at += page)
      same = std::memcmp(result.data() + at, item.data() + at, 8) == 0;
    if (!same) throw std::runtime_error("a result is not its item");
  }

 private:
  static void stamp(std::string& item, std::size_t at, std::uint64_t number) {
    const std::uint64_t mark = number << 32 | at;
    std::memcpy(item.data() + at, &mark, sizeof mark);
  }
  std::vector<std::string> items_;
};

std::string echo(std::string item) { return item; }

// Workers start and end within the time, as they do for a user.
double time_ours(const Items& items, std::size_t count) {
  const auto all = std::views::iota(std::size_t{0}, count) |
                   std::views::transform([&](std::size_t i) -> const std::string& { return items[i]; });
  std::size_t seen = 0;
  const double elapsed = bench::seconds([&] {
    for (auto& [index, outcome] : bulkhead::process_stream(all, echo, {.num_workers = bench::workers})) {
      items.check(index, outcome.value());
      ++seen;
    }
  });
  if (seen != count) throw std::runtime_error("a result is missing");
  return elapsed;
}

// Set up before the clock starts: only the transport counts.
double time_bare(const Items& items, std::size_t bytes, std::size_t count) {
  bench::BareTransport transport(bytes);
  std::size_t seen = 0;
  const auto item = [&](std::size_t i) -> const std::string& { return items[i]; };
  const double elapsed = bench::seconds([&] {
    transport.run(count, item, [&](std::size_t i, const std::string& result) {
      items.check(i, result);
      ++seen;
    });
  });
  if (seen != count) throw std::runtime_error("a result is missing");
  return elapsed;
}

double time_checked(const Items& items, std::size_t bytes, std::size_t count) {
  std::size_t seen = 0;
  const double elapsed = bench::seconds([&] {
    bench::run_checked_transport(
        bytes, count, [&](std::size_t i) -> const std::string& { return items[i]; },
        [&](std::size_t i, const std::string& result) {
          items.check(i, result);
          ++seen;
        });
  });
  if (seen != count) throw std::runtime_error("a result is missing");
  return elapsed;
}

std::string in_words(std::size_t bytes) {
  if (bytes >= 1u << 20) return std::to_string(bytes >> 20) + " MiB";
  return bytes >= 1024 ? std::to_string(bytes >> 10) + " KiB" : std::to_string(bytes) + " B";
}

bench::Subject payload(const bench::Setting& setting) {
  bench::Subject subject{"payload", "items that come back as they were, two workers"};
  for (const std::size_t bytes : {64u, 1u << 10, 16u << 10, 64u << 10, 256u << 10, 1u << 20, 4u << 20, 16u << 20}) {
    const std::size_t count = setting.count(std::min<std::size_t>(2'000'000, (std::size_t{2} << 30) / bytes), 8);
    const auto items = std::make_shared<const Items>(bytes);
    const double gigabytes = static_cast<double>(bytes * count) / 1e9;
    const std::string size = in_words(bytes), ours = size + ": bulkhead process_stream",
                      bare = size + ": memcpy and a tuned pipe (the floor)";
    subject.add({bench::one_figure(bare, "GB/s each way", [=] { return gigabytes / time_bare(*items, bytes, count); }),
                 bench::one_figure(ours, "GB/s each way", [=] { return gigabytes / time_ours(*items, count); })});
    if (bytes < 16u << 10) {
      const std::string checked = size + ": the floor, made and ended, signed, in strings of their own, in order";
      subject.add({bench::one_figure(checked, "GB/s each way",
                                     [=] { return gigabytes / time_checked(*items, bytes, count); })});
      subject.goals.push_back({size + ": what can be had / floor", checked, bench::Goal::Compare::percent, bare,
                               bench::Goal::Bound::at_least, 80, "%"});
    }
    subject.goals.push_back({size + ": process_stream / floor", ours, bench::Goal::Compare::percent, bare,
                             bench::Goal::Bound::at_least, 80, "%"});
  }
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, payload); }
