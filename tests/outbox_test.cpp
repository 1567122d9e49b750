// A worker's outbox and the coordinator's inbox, without processes.
#include "ipc/outbox.hpp"
#include "ipc/inbox.hpp"
#include "ipc/task_queue.hpp"

#include "catch.hpp"
#include "left_behind.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::ipc;

TEST_CASE("a frame that goes straight to the pipe may end anywhere in the ring", "[outbox]") {
  const NothingLeftBehind check;
  constexpr std::uint32_t seed = 7;
  for (const std::size_t left : {0, 8, 16, 24}) {
    TaskQueue queue(1, 4096);
    queue.open_lane(0);
    const TaskQueueView view(queue, 0);
    const os::MemoryFile file("test-worker", worker_memory_bytes);
    const Mapping memory(file, Access::read_write, 0, file.size());
    os::Pipe pipe = os::make_pipe(64u << 10);
    Inbox inbox(Mapping(file, Access::read_only, 0, file.size()), std::move(pipe.read_end), seed, 1u << 20);
    const std::vector<std::byte> large(outbox_ring_bytes - sizeof(FrameHeader) - left, std::byte{'l'});

    std::thread worker([&] {  // what is large does not fit into the pipe
      auto& page = *reinterpret_cast<WorkerPage*>(memory.data());
      Outbox outbox(page, memory.data() + worker_page_bytes, view.lane(), std::move(pipe.write_end), seed);
      outbox.put_copy(FrameKind::value, 1, 1, large);
      std::ranges::fill(outbox.room(100), std::byte{'s'});
      outbox.put(FrameKind::value, 2, 1, 100);
      outbox.flush();
    });
    std::vector<std::vector<std::byte>> values;
    Scratch scratch;
    bool bad = false;
    while (values.size() < 2 && !bad) {
      if (!inbox.pull_from_pipe(scratch)) std::this_thread::yield();
      for (ParsedFrame frame = inbox.next(); frame.check != FrameCheck::incomplete && !bad; frame = inbox.next()) {
        bad = frame.check == FrameCheck::bad;
        if (frame.header.kind == FrameKind::value) values.emplace_back(frame.payload.begin(), frame.payload.end());
      }
    }
    worker.join();
    CHECK_FALSE(bad);
    REQUIRE(values.size() == 2);
    CHECK(values[0] == large);
    CHECK(values[1] == std::vector<std::byte>(100, std::byte{'s'}));
    CHECK_FALSE(inbox.ring_is_ahead());
  }
}
