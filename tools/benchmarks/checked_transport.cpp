#include "checked_transport.hpp"

#include "bare_transport.hpp"
#include "checksum.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bench {
namespace {

std::uint64_t sum_of(const char* bytes, std::size_t size) {
  std::uint64_t sum = 0, word = 0;
  for (std::size_t at = 0; at + sizeof word <= size; at += sizeof word) {
    std::memcpy(&word, bytes + at, sizeof word);
    sum = check_on(sum, word);
  }
  return sum;
}

// Where a worker says which item it has in hand, a line each: who ends it must be told of what it was.
struct alignas(64) Hand {
  std::atomic<std::uint64_t> item{0}, running{0};
};
class Hands {
 public:
  Hands() {
    void* const memory =
        ::mmap(nullptr, sizeof(Hand) * (workers + 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("checked transport: mmap");
    hands_ = static_cast<Hand*>(memory);
  }
  ~Hands() { ::munmap(hands_, sizeof(Hand) * (workers + 1)); }
  Hands(const Hands&) = delete;
  Hands& operator=(const Hands&) = delete;
  /// One that nobody else has; the one behind them counts.
  Hand& take() { return hands_[hands_[workers].item.fetch_add(1)]; }

 private:
  Hand* hands_ = nullptr;
};
Hands* hands = nullptr;  // for workers, which are forked

// Not inlined: the task may be anything.
[[gnu::noinline]] std::string echo(std::string item) { return item; }

void answer(const char* item, std::size_t bytes, std::string& batch) {
  static Hand& hand = hands->take();
  static std::uint64_t done = 0;
  hand.item.store(done, std::memory_order_relaxed);
  hand.running.store(1, std::memory_order_release);
  const std::string result = echo(std::string(item, bytes));
  hand.running.store(0, std::memory_order_release);
  ++done;
  const std::uint64_t sum = sum_of(result.data(), result.size());
  batch.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  batch += result;
}

std::string checked(const std::string& frame) {
  std::uint64_t sum = 0;
  std::memcpy(&sum, frame.data(), sizeof sum);
  if (sum_of(frame.data() + sizeof sum, frame.size() - sizeof sum) != sum)
    throw std::runtime_error("checked transport: a result was damaged");
  return frame.substr(sizeof sum);
}

}  // namespace

void run_checked_transport(std::size_t bytes, std::size_t count,
                           const std::function<const std::string&(std::size_t)>& item,
                           const std::function<void(std::size_t, const std::string&)>& take) {
  Hands all;
  hands = &all;
  BareTransport transport(bytes, bytes + sizeof(std::uint64_t), answer);
  std::vector<std::optional<std::string>> outcomes(16 * transport.window());
  std::size_t delivered = 0;
  transport.run(count, item, [&](std::size_t i, const std::string& frame) {
    if (i - delivered >= outcomes.size()) throw std::runtime_error("checked transport: one worker is too far behind");
    outcomes[i % outcomes.size()] = checked(frame);
    while (auto outcome = std::exchange(outcomes[delivered % outcomes.size()], {})) take(delivered++, *outcome);
  });
}

}  // namespace bench
