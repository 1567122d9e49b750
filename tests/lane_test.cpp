// The lane between one writer and one reader, without processes: wrapping, filling up, taking back; and the arena.
#include "ipc/lane.hpp"
#include "ipc/task_queue.hpp"

#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

using namespace bulkhead::ipc;

namespace {

std::string item_of(std::uint64_t task, std::size_t size) {
  return std::string(size, static_cast<char>('a' + task % 26));
}

bool put(LaneWriter& lane, std::uint64_t task, std::size_t size, std::size_t count = 1) {
  std::byte* const room = lane.room();
  if (!room) return false;
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(room + i * Row::pitch(RowForm::inlined, static_cast<std::uint32_t>(size)),
                item_of(task + i, size).data(), size);
  lane.put(task, 1, size, count);
  return true;
}

// Reads as a worker does.
class Reader {
 public:
  explicit Reader(const TaskQueue& queue) : view_(queue, 0), lane_(view_.lane()) {}
  std::vector<std::pair<std::uint64_t, std::string>> read_all() {
    std::vector<std::pair<std::uint64_t, std::string>> read;
    for (const std::uint64_t tail = lane_.tail(); head_ != tail;) {
      const Row& row = lane_.at(head_);
      for (std::size_t i = 0; i < row.count; ++i) {
        const auto item = view_.item(Record(row, i));
        read.emplace_back(row.task + i, std::string(reinterpret_cast<const char*>(item.data()), item.size()));
      }
      head_ += row.bytes();
    }
    return read;
  }

 private:
  TaskQueueView view_;
  LaneReader lane_;
  std::uint64_t head_ = 0;
};

}  // namespace

TEST_CASE("a lane hands over every item unchanged, lap after lap", "[lane]") {
  TaskQueue queue(1, 1 << 20);
  LaneWriter lane = queue.open_lane(0);
  Reader reader(queue);
  std::mt19937 random(7);
  std::deque<std::size_t> sizes;
  std::uint64_t written = 0, answered = 0;
  while (answered < 20'000) {
    for (std::size_t n = random() % 200; n > 0; --n) {
      const bool large = random() % 8 == 0;
      const std::size_t size = large ? random() % (max_inlined + 1) : random() % 40;
      const std::size_t count = large ? 1 : 1 + random() % 64;
      if (!put(lane, written, size, count)) break;
      sizes.insert(sizes.end(), count, size);
      written += count;
    }
    lane.publish();
    for (const auto& [task, item] : reader.read_all()) {
      REQUIRE(task == answered);
      REQUIRE(item == item_of(task, sizes.front()));
      sizes.pop_front();
      REQUIRE(lane.front().task() == answered);
      lane.pop();
      ++answered;
    }
    REQUIRE_FALSE(lane.front());
  }
}

TEST_CASE("large items go round a lane like small ones, also where nobody asked for room first", "[lane]") {
  TaskQueue queue(2, 1 << 20);
  LaneWriter lane = queue.open_lane(0);
  LaneWriter next = queue.open_lane(1);
  REQUIRE(put(next, 77, 8));
  next.publish();
  const TaskQueueView view(queue, 0), view_of_next(queue, 1);
  for (std::uint64_t task = 0; task < 20'000; ++task) {
    lane.put(task, 1, ArenaPlace{task * 8, 9000});
    lane.publish();
    REQUIRE(lane.front().task() == task);
    REQUIRE(lane.front().in_arena());
    REQUIRE(lane.front().place().offset == task * 8);
    lane.pop();
    REQUIRE_FALSE(lane.front());
  }
  CHECK(view_of_next.lane().tail() == next.tail_offset());
  CHECK(view_of_next.lane().at(0).task == 77);
  CHECK(view.lane().tail() == lane.tail_offset());
}

TEST_CASE("a lane counts its large items until they are answered", "[lane]") {
  TaskQueue queue(1, 1 << 20);
  LaneWriter lane = queue.open_lane(0);
  std::deque<std::size_t> sizes;  // of what has no answer; small ones as nought
  std::size_t count = 0, bytes = 0;
  for (std::uint64_t task = 0; task < 10'005; ++task) {
    const std::size_t size = task % 3 == 0 ? 0 : 9000 * (task % 7 + 1);
    if (size == 0)
      REQUIRE(put(lane, task, 100));
    else
      lane.put(task, 1, ArenaPlace{task * 8, size});
    sizes.push_back(size);
    count += size != 0;
    bytes += size;
    while (sizes.size() > task % 11) {
      count -= sizes.front() != 0;
      bytes -= sizes.front();
      sizes.pop_front();
      lane.pop();
    }
    REQUIRE(lane.large().count == count);
    REQUIRE(lane.large().bytes == bytes);
  }
  REQUIRE(count > 1);
  lane.for_each_row([&](Row& row, std::uint64_t, std::size_t) { lane.note_moved(row, row.count); });
  CHECK(lane.large().count == count);
  lane.for_each_row([&](Row& row, std::uint64_t, std::size_t) {
    for (int twice = 0; twice < 2; ++twice) lane.note_moved(row, 0);
  });
  CHECK(lane.large().count == 0);
  CHECK(lane.large().bytes == 0);
  while (lane.front()) lane.pop();
  CHECK(lane.large().count == 0);
  CHECK(lane.large().bytes == 0);
}

TEST_CASE("a full lane has no room until its oldest record is answered", "[lane]") {
  TaskQueue queue(1, 1 << 20);
  LaneWriter lane = queue.open_lane(0);
  std::uint64_t count = 0;
  while (put(lane, count, 1000)) ++count;
  CHECK(count > 200);
  std::uint64_t popped = 0;
  while (!lane.room()) {
    REQUIRE(lane.front().task() == popped++);
    lane.pop();
  }
  CHECK(popped <= 20);
  CHECK(put(lane, count, 1000));
}

TEST_CASE("a lane that finds no more memory goes round in what it has, and grows when there is some", "[lane]") {
  std::vector<std::byte> memory(lane_bytes + 64);
  auto* const lane_begin = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) & ~63ul);
  std::size_t there = ring_bytes_at_first, asked = 0;
  bool plenty = false;
  LaneWriter lane(lane_begin, there, [&](std::size_t up_to) {
    ++asked;
    return there = plenty ? up_to : there;
  });
  const LaneReader reader(lane_begin);
  std::uint64_t written = 0, answered = 0;
  std::size_t most = 0;
  const auto fill = [&] {
    std::size_t held = written - answered;
    for (; put(lane, written, 1000); ++held) ++written;
    return held;
  };
  const auto check_end = [&] {  // what nobody occupied was not touched
    for (std::size_t i = lane_header_bytes + there; i < lane_bytes; ++i) REQUIRE(lane_begin[i] == std::byte(0));
  };
  const auto answer_a_third = [&] {
    for (const std::uint64_t end = answered + (written - answered) / 3; answered < end; ++answered) {
      REQUIRE(lane.front().task() == answered);
      lane.pop();
    }
  };
  for (int round = 0; round < 30; ++round) {
    most = std::max(most, fill());
    REQUIRE(reader.at(lane.front_offset() - sizeof(Row)).task == answered);
    answer_a_third();
    check_end();
  }
  CHECK(most <= ring_bytes_at_first / 1000);
  CHECK(asked >= 4);
  CHECK(asked <= lane.tail_offset() / lane_ring_bytes + 1);  // once a lap, and not with every look
  plenty = true;
  for (int round = 0; round < 30; ++round) {
    most = fill();
    answer_a_third();
  }
  CHECK(there == lane_ring_bytes);
  CHECK(most > 200);
}

TEST_CASE("a lane goes round in the memory that it has while half of that is enough, and grows when it is not",
          "[lane]") {
  std::vector<std::byte> memory(lane_bytes + 64);
  auto* const lane_begin = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) & ~63ul);
  std::size_t there = ring_bytes_at_first;
  LaneWriter lane(lane_begin, there, [&](std::size_t up_to) { return there = up_to; });
  std::uint64_t written = 0, answered = 0;
  const auto go_round = [&](std::size_t held) {
    for (const std::uint64_t end = written + 3 * lane_ring_bytes / 1000; written < end;) {
      const bool is_full = !put(lane, written, 1000);
      if (!is_full && ++written - answered <= held) continue;
      REQUIRE(lane.front().task() == answered++);
      lane.pop();
    }
  };
  go_round(ring_step / 1000 / 3);
  CHECK(there == ring_step);
  go_round(ring_step / 1000);
  CHECK(there > ring_step);
  CHECK(there < lane_ring_bytes);
  for (; answered < written; ++answered) {
    REQUIRE(lane.front().task() == answered);
    lane.pop();
  }
}

TEST_CASE("an empty lane has room, wherever in the memory of its first time it stands", "[lane]") {
  std::vector<std::byte> memory(lane_bytes + 64);
  auto* const lane_begin = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) & ~63ul);
  const std::size_t step = sizeof(Row) + 8;
  for (std::size_t before = 0; before + step < ring_bytes_at_first; before += step) {
    LaneWriter lane(lane_begin, ring_bytes_at_first, [](std::size_t) { return ring_bytes_at_first; });
    std::uint64_t task = 0;
    for (std::size_t at = 0; at < before; at += step, ++task) {
      REQUIRE(put(lane, task, 8));
      lane.pop();
    }
    INFO("from " << before);
    for (int lap = 0; lap < 3; ++lap, ++task) {
      REQUIRE(put(lane, task, max_inlined));
      lane.pop();
    }
  }
}

TEST_CASE("a lane has room behind a row that is not answered yet, lap after lap", "[lane]") {
  for (const std::size_t size : {std::size_t{8}, std::size_t{4000}, std::size_t{7000}, max_inlined}) {
    TaskQueue queue(1, 1 << 20);
    LaneWriter lane = queue.open_lane(0);
    INFO("rows of " << size);
    REQUIRE(put(lane, 0, size));
    for (std::uint64_t task = 1; task < 4 * lane_ring_bytes / size; ++task) {
      INFO("row " << task);
      REQUIRE(put(lane, task, size));
      lane.pop();
    }
  }
}

TEST_CASE("a lane that is filled anew before its worker has gone on from the end of a lap is read as it was written",
          "[lane]") {
  TaskQueue queue(1, 1 << 20);
  LaneWriter lane = queue.open_lane(0);
  Reader reader(queue);
  std::uint64_t written = 0, answered = 0;
  for (int round = 0; round < 40; ++round) {
    const std::size_t size = 500 + 97 * static_cast<std::size_t>(round);
    while (put(lane, written, size)) ++written;
    lane.publish();
    for (const auto& [task, item] : reader.read_all()) {
      REQUIRE(task == answered++);
      REQUIRE(item == item_of(task, size));
      lane.pop();
    }
    REQUIRE(answered == written);
  }
}

TEST_CASE("a lane that is filled, read and answered at random hands over every byte as it was written", "[lane]") {
  std::vector<std::byte> memory(lane_bytes + 64);
  auto* const lane_begin = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) & ~63ul);
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    std::size_t there = ring_bytes_at_first;
    LaneWriter lane(lane_begin, there, [&](std::size_t up_to) { return there = random() % 3 != 0 ? there : up_to; });
    const LaneReader reader(lane_begin);
    const std::size_t most_held = 1 + random() % 200, largest = seed % 2 == 0 ? 40 : max_inlined;
    std::deque<std::size_t> sizes;  // of what was written and not read; of those in the arena: more than is inlined
    std::uint64_t written = 0, read = 0, answered = 0, row_at = 0;
    const auto write_one = [&] {
      if (written - answered >= most_held || lane.room() == nullptr) return lane.publish();
      const bool in_arena = random() % 10 == 0;
      const std::size_t size = in_arena ? max_inlined + 1 : random() % (largest + 1);
      if (in_arena)
        lane.put(written, 1, ArenaPlace{written * 8, size});
      else
        REQUIRE(put(lane, written, size));
      sizes.push_back(size);
      ++written;
      if (random() % 4 != 0) lane.publish();
    };
    const auto read_one = [&] {  // as a worker does, which looks at no row any more once it has answered it
      if (row_at == reader.tail()) return;
      const Row& row = reader.at(row_at);
      if (row.form != RowForm::filler) {
        REQUIRE(row.task == read);
        const Record record(row, 0);
        if (sizes.front() > max_inlined)
          REQUIRE(record.place().offset == read * 8);
        else
          REQUIRE(std::string(reinterpret_cast<const char*>(record.inlined().data()), record.inlined().size()) ==
                  item_of(read, sizes.front()));
        sizes.pop_front();
        ++read;
      }
      row_at += row.bytes();
    };
    for (int step = 0; step < 30'000; ++step) {
      switch (random() % 3) {
        case 0:
          write_one();
          break;
        case 1:
          read_one();
          break;
        default:
          if (answered == read) break;
          REQUIRE(lane.front().task() == answered++);
          lane.pop();
      }
    }
    lane.publish();
    while (read != written) read_one();
    CHECK(written > 5'000);
  }
}

TEST_CASE("what was not published is not seen", "[lane]") {
  TaskQueue queue(1, 1 << 20);
  LaneWriter lane = queue.open_lane(0);
  Reader reader(queue);
  REQUIRE(put(lane, 0, 8));
  CHECK(reader.read_all().empty());
  CHECK(lane.unpublished());
  lane.publish();
  CHECK(reader.read_all().size() == 1);
}

TEST_CASE("the arena gives back what was released, and says when it is full", "[lane]") {
  TaskQueue queue(1, 4 << 20);
  std::mt19937 random(11);
  std::vector<ArenaPlace> places;
  bool was_full = false;
  for (int i = 0; i < 5'000; ++i) {
    if (places.size() > 3 && random() % 2 == 0) {
      const std::size_t which = random() % places.size();
      const auto bytes = queue.bytes(places[which]);
      const auto filled = static_cast<std::byte>(places[which].size & 0xff);
      REQUIRE(std::all_of(bytes.begin(), bytes.end(), [&](std::byte b) { return b == filled; }));
      queue.release(places[which]);
      places.erase(places.begin() + static_cast<std::ptrdiff_t>(which));
    } else if (const auto place = queue.allocate(1 + random() % 300'000)) {
      std::memset(queue.bytes(*place).data(), static_cast<int>(place->size & 0xff), place->size);
      places.push_back(*place);
    } else {
      was_full = true;
      queue.release(places.back());
      places.pop_back();
    }
  }
  CHECK(was_full);
}
