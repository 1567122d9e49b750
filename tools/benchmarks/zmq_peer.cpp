#include "child.hpp"
#include "tiny_peers.hpp"

#include <unistd.h>
#include <zmq.h>

#include <array>
#include <stdexcept>

namespace bench {
namespace {

struct Message {
  std::uint64_t task, value;
};

class Context {
 public:
  ~Context() {
    for (std::size_t i = 0; i < used_; ++i) ::zmq_close(sockets_[i]);
    ::zmq_ctx_term(context_);
  }
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// `attach` is zmq_bind or zmq_connect.
  void* open(int type, int (*attach)(void*, const char*), const std::string& address) {
    void* const socket = sockets_.at(used_) = ::zmq_socket(context_, type);
    ++used_;
    const int linger = 0;
    ::zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    if (attach(socket, address.c_str()) != 0) throw std::runtime_error("zmq: " + address);
    return socket;
  }

 private:
  void* context_ = ::zmq_ctx_new();
  std::array<void*, 2> sockets_{};
  std::size_t used_ = 0;
};

// Names without a file, in the abstract space.
std::string address(const char* what) { return "ipc://@bulkhead-bench-" + std::to_string(::getpid()) + what; }

void work(const std::string& tasks, const std::string& results) {
  Context context;
  void* const in = context.open(ZMQ_PULL, ::zmq_connect, tasks);
  void* const out = context.open(ZMQ_PUSH, ::zmq_connect, results);
  Message message{0, 0};
  ::zmq_send(out, &message, sizeof message, 0);  // here
  while (::zmq_recv(in, &message, sizeof message, 0) == sizeof message) {
    message.value = square(message.value);
    ::zmq_send(out, &message, sizeof message, 0);
  }
}

void drive(void* out, void* in, std::vector<std::uint64_t>& results) {
  std::size_t sent = 0;
  for (std::size_t done = 0; done < results.size();) {
    bool moved = false;
    for (; sent < results.size(); ++sent, moved = true) {
      const Message message{sent, sent};
      if (::zmq_send(out, &message, sizeof message, ZMQ_DONTWAIT) < 0) break;
    }
    for (Message message{}; ::zmq_recv(in, &message, sizeof message, ZMQ_DONTWAIT) > 0; ++done, moved = true)
      results.at(message.task) = message.value;
    if (moved) continue;
    std::array<zmq_pollitem_t, 2> items{{{in, 0, ZMQ_POLLIN, 0}, {out, 0, ZMQ_POLLOUT, 0}}};
    ::zmq_poll(items.data(), sent < results.size() ? 2 : 1, -1);
  }
}

double run(std::vector<std::uint64_t>& results) {
  const std::string tasks_at = address("-tasks"), results_at = address("-results");
  Children children;
  for (std::size_t w = 0; w < workers; ++w) children.start([&] { work(tasks_at, results_at); });
  Context context;
  void* const out = context.open(ZMQ_PUSH, ::zmq_bind, tasks_at);
  void* const in = context.open(ZMQ_PULL, ::zmq_bind, results_at);
  for (std::size_t w = 0; w < workers; ++w) {
    Message here{};
    ::zmq_recv(in, &here, sizeof here, 0);
  }
  return ns_per_task(results.size(), [&] { drive(out, in, results); });
}

}  // namespace

Peer zmq_peer(const Setting& setting) {
  int major = 0, minor = 0, patch = 0;
  ::zmq_version(&major, &minor, &patch);
  const std::string version =
      "ZeroMQ " + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  return squares_peer("processes: ZeroMQ PUSH/PULL over ipc", setting.count(500'000), run, version);
}

}  // namespace bench
