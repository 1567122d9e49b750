// Where large results lie: no place is given out twice, and no more is occupied than they need.
#include "ipc/annex.hpp"
#include "ipc/mapping.hpp"

#include "catch.hpp"
#include "left_behind.hpp"
#include "occupied.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <deque>
#include <random>
#include <utility>

using namespace bulkhead;
using ipc::Annex;

namespace {

constexpr std::size_t mib = 1u << 20;

class Memory {
 public:
  explicit Memory(std::size_t bytes) : file_("test-annex", bytes), mapping_(file_, ipc::Access::read_write, 0, bytes) {}
  std::byte* data() const { return mapping_.data(); }
  std::size_t occupied() const { return occupied_bytes(file_); }

 private:
  os::MemoryFile file_;
  ipc::Mapping mapping_;
};

}  // namespace

TEST_CASE("places of an annex never overlap before they are acknowledged", "[annex]") {
  const NothingLeftBehind check;
  constexpr std::size_t bytes = 8 * mib;
  const Memory memory(bytes);
  Annex annex(memory.data(), bytes);
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::deque<std::pair<std::size_t, std::size_t>> kept;  // begin and end; the stream's offset is counted in results
  std::uint64_t given = 0, acknowledged = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t size = 1 + random() % (random() % 50 == 0 ? bytes : 200'000);
    std::byte* const place = annex.place(size);
    if (place != nullptr && random() % 5 != 0) {  // or its result could not be encoded
      const std::size_t begin = annex.offset_of(place);
      REQUIRE(begin + size <= bytes);
      for (const auto& [from, to] : kept) REQUIRE((begin + size <= from || to <= begin));
      kept.emplace_back(begin, begin + size);
      annex.keep_until(++given);
    }
    if (place == nullptr) REQUIRE_FALSE(kept.empty());
    if ((place == nullptr || random() % 3 == 0) && !kept.empty()) {
      REQUIRE(annex.next_release() == acknowledged + 1);
      annex.release(++acknowledged);
      kept.pop_front();
    }
  }
}

TEST_CASE("after one large result an annex is as small again as the others need", "[annex]") {
  const NothingLeftBehind check;
  const Memory memory(64 * mib);
  Annex annex(memory.data(), 64 * mib);
  std::uint64_t end = 0;
  const auto put = [&](std::size_t size) {
    annex.release(end - (end != 0));  // one is always under way
    REQUIRE(annex.place(size) != nullptr);
    annex.keep_until(++end);
  };
  for (int i = 0; i < 200; ++i) put(100'000);
  CHECK(memory.occupied() <= 2 * mib + 100'000);
  put(30 * mib);
  CHECK(memory.occupied() >= 30 * mib);
  for (int i = 0; i < 2'000; ++i) put(100'000);
  annex.release(end);
  put(100'000);
  CHECK(memory.occupied() <= 4 * mib);
}

TEST_CASE("an annex of which the memory ends holds what there is", "[annex]") {
  const NothingLeftBehind check;
  auto* const memory =
      static_cast<std::byte*>(::mmap(nullptr, 64 * mib, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  ::munmap(memory + mib, 63 * mib);  // no page can be had there
  Annex annex(memory, 64 * mib);
  CHECK(annex.place(mib / 2) != nullptr);
  annex.keep_until(1);
  CHECK(annex.place(2 * mib) == nullptr);
  CHECK_FALSE(annex.may_hold(2 * mib));
  CHECK(annex.may_hold(mib / 4));
  annex.release(1);
  CHECK(annex.place(mib / 4) != nullptr);
  ::munmap(memory, mib);
}
