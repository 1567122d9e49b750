// A queue of Boost.Interprocess to all workers, a pipe from each. It is what one writes first, and it works until a
// worker dies in the wrong place: the queue's lock dies with it.
#include "child.hpp"
#include "tiny_peers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>

#include <array>
#include <stdexcept>

namespace bench {
namespace {

using Queue = boost::interprocess::message_queue;

struct Message {
  std::uint64_t task, value;
};

class Worker {
 public:
  Worker(Queue& queue, int pipe, std::size_t batch) : queue_(queue), pipe_(pipe), batch_(batch) {}

  void run() {
    for (Message message{};;) {
      Queue::size_type size = 0;
      unsigned priority = 0;
      if (!answers_.empty() && queue_.try_receive(&message, sizeof message, size, priority)) {
        answer(message);
      } else {
        flush();
        queue_.receive(&message, sizeof message, size, priority);
        answer(message);
      }
    }
  }

 private:
  void answer(const Message& message) {
    answers_.push_back({message.task, square(message.value)});
    if (answers_.size() == batch_) flush();
  }
  void flush() {  // at most a page, which a pipe takes whole
    if (!answers_.empty() && ::write(pipe_, answers_.data(), answers_.size() * sizeof(Message)) < 0) ::_exit(1);
    answers_.clear();
  }

  Queue& queue_;
  int pipe_;
  std::size_t batch_;
  std::vector<Message> answers_{};
};

class Pool {
 public:
  explicit Pool(std::size_t batch) {
    Queue::remove(name_.c_str());  // the workers inherit the mapping
    for (pollfd& end : ends_) {
      std::array<int, 2> pipe{};
      if (::pipe(pipe.data()) != 0) throw std::runtime_error("pipe failed");
      children_.start([&] { Worker(queue_, pipe[1], batch).run(); });
      ::close(pipe[1]);
      ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
      end = {pipe[0], POLLIN, 0};
    }
  }
  ~Pool() {
    for (const pollfd& end : ends_) ::close(end.fd);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(std::vector<std::uint64_t>& results) {
    std::size_t sent = 0;
    for (std::size_t done = 0; done < results.size();) {
      while (sent < results.size() && send(sent)) ++sent;
      const std::size_t taken = take(results);
      if (taken == 0) ::poll(ends_.data(), ends_.size(), -1);
      done += taken;
    }
  }

 private:
  static std::string fresh_name() {
    const std::string name = "bulkhead-bench-" + std::to_string(::getpid());
    Queue::remove(name.c_str());
    return name;
  }
  bool send(std::size_t task) {
    const Message message{task, task};
    return queue_.try_send(&message, sizeof message, 0);
  }
  std::size_t take(std::vector<std::uint64_t>& results) {
    std::size_t taken = 0;
    std::array<Message, 4096> messages;
    for (const pollfd& end : ends_) {
      const ssize_t n = ::read(end.fd, messages.data(), sizeof messages);
      for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n) / sizeof(Message); ++i, ++taken)
        results.at(messages[i].task) = messages[i].value;
    }
    return taken;
  }

  const std::string name_ = fresh_name();
  Queue queue_{boost::interprocess::create_only, name_.c_str(), 1024, sizeof(Message)};
  std::array<pollfd, workers> ends_{};
  Children children_;
};

double run(std::vector<std::uint64_t>& results, std::size_t batch) {
  Pool pool(batch);
  return ns_per_task(results.size(), [&] { pool.run(results); });
}

}  // namespace

std::vector<Peer> message_queue_peers(const Setting& setting) {
  const std::size_t tasks = setting.count(300'000);
  const std::string version = "Boost " BOOST_LIB_VERSION;
  const auto with_batch = [](std::size_t batch) { return [batch](auto& results) { return run(results, batch); }; };
  return {squares_peer("processes: Boost message_queue and pipes, one write a task", tasks, with_batch(1), version),
          squares_peer("processes: Boost message_queue and pipes, batched writes", tasks, with_batch(256), version)};
}

}  // namespace bench
