#include "catch.hpp"

#include <bulkhead/channel.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

using namespace bulkhead;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string message_text(const std::optional<std::vector<std::byte>>& message) {
  REQUIRE(message);
  return {reinterpret_cast<const char*>(message->data()), message->size()};
}

std::pair<Channel, Channel> make_channel(int kind) { return kind == 0 ? make_pipe_channel() : make_socket_channel(); }

// A channel, and the bare socket at its other end.
struct BareEnd {
  BareEnd() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    channel.emplace(Channel::from_descriptor(ends[0]));
    bare = ends[1];
  }
  ~BareEnd() { close(); }
  void write(std::string_view text) const {
    REQUIRE(::send(bare, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  void close() {
    if (bare >= 0) ::close(bare);
    bare = -1;
  }
  std::optional<Channel> channel;
  int bare = -1;
};

}  // namespace

TEST_CASE("both ends of a channel send and receive whole messages", "[channel]") {
  auto [here, there] = make_channel(GENERATE(0, 1));
  here.send(bytes_of("one"));
  here.send({});
  here.send(bytes_of("three"));
  there.send(bytes_of("back"));
  CHECK(message_text(there.recv()) == "one");
  CHECK(message_text(there.recv()).empty());
  CHECK(message_text(there.recv()) == "three");
  CHECK(message_text(here.recv()) == "back");
}

TEST_CASE("messages larger than any buffer pass whole", "[channel]") {
  auto [here, there] = make_channel(GENERATE(0, 1));
  std::string large(5'000'001, 'x');
  for (std::size_t i = 0; i < large.size(); i += 97) large[i] = static_cast<char>(i);
  auto sent = std::async(std::launch::async, [&sender = here, &large] { sender.send(bytes_of(large)); });
  CHECK(message_text(there.recv()) == large);
  sent.get();
}

TEST_CASE("a peer that closes between messages is the end", "[channel]") {
  auto [here, there] = make_channel(GENERATE(0, 1));
  there.send(bytes_of("last"));
  there.close();
  CHECK(message_text(here.recv()) == "last");
  CHECK(here.recv() == std::nullopt);
  CHECK(here.recv() == std::nullopt);
  CHECK_THROWS_AS(there.send(bytes_of("x")), std::system_error);
  CHECK_THROWS_AS(there.recv(), std::system_error);
}

TEST_CASE("sending to a peer that has gone is an error and no SIGPIPE", "[channel]") {
  auto [here, there] = make_channel(GENERATE(0, 1));
  const auto before = std::signal(SIGPIPE, SIG_DFL);  // it would end the test program
  there.close();
  try {
    here.send(bytes_of("anybody?"));
    FAIL("nothing was thrown");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::broken_pipe);
  }
  sigset_t pending;
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  CHECK(sigismember(&blocked, SIGPIPE) == 0);
  std::signal(SIGPIPE, before);
}

TEST_CASE("a message that breaks off is an error, and nothing is received after it", "[channel]") {
  BareEnd end;
  end.write(GENERATE(std::string("\x05\0\0", 3), std::string("\x05\0\0\0\0\0\0\0ab", 10)));
  end.close();
  CHECK_THROWS_WITH(end.channel->recv(), Catch::Contains("in the middle of a message"));
  CHECK_THROWS_WITH(end.channel->recv(), Catch::Contains("earlier message"));
}

TEST_CASE("the length is 64 bits, little-endian", "[channel]") {
  BareEnd end;
  end.write(std::string("\x02\0\0\0\0\0\0\0hi", 10));
  CHECK(message_text(end.channel->recv()) == "hi");
  end.channel->send(bytes_of("abc"));
  char frame[32];
  CHECK(::recv(end.bare, frame, sizeof frame, MSG_WAITALL | MSG_DONTWAIT) == 11);
  CHECK(std::string(frame, 11) == std::string("\x03\0\0\0\0\0\0\0abc", 11));
}

TEST_CASE("an announcement above the limit is refused, one within it takes no memory by itself", "[channel]") {
  BareEnd end;
  SECTION("above the default") {
    end.write(std::string("\x01\0\0\x40\0\0\0\0", 8));
    CHECK_THROWS_WITH(end.channel->recv(), Catch::Contains("1073741825"));
  }
  SECTION("above one's own") {
    end.channel->set_max_message_bytes(3);
    end.write(std::string("\x03\0\0\0\0\0\0\0abc\x04\0\0\0\0\0\0\0", 19));
    CHECK(message_text(end.channel->recv()) == "abc");
    CHECK_THROWS_AS(end.channel->recv(), std::runtime_error);
  }
  SECTION("as large as can be said, the peer gone") {
    end.channel->set_max_message_bytes(~std::uint64_t{0});
    end.write(std::string(8, '\xff'));
    end.close();
    CHECK_THROWS_WITH(end.channel->recv(), Catch::Contains("in the middle"));
  }
}

TEST_CASE("a TCP connection is a channel too, also a non-blocking one", "[channel]") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), length) == 0);
  const int server = ::accept(listener, nullptr, nullptr);
  REQUIRE(::fcntl(server, F_SETFL, O_NONBLOCK) == 0);
  Channel near = Channel::from_descriptor(client), far = Channel::from_descriptor(server);
  ::close(listener);

  const std::string large(3'000'000, 'y');
  auto echo = std::async(std::launch::async, [&] { far.send(*far.recv()); });
  near.send(bytes_of(large));
  CHECK(message_text(near.recv()) == large);
  echo.get();
}

TEST_CASE("what is not a connected stream socket is refused and stays open", "[channel]") {
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  CHECK_THROWS_AS(Channel::from_descriptor(pipe_ends[0]), std::invalid_argument);
  CHECK(::fcntl(pipe_ends[0], F_GETFD) >= 0);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  CHECK_THROWS_AS(Channel::from_descriptor(-1), std::invalid_argument);
  const int unconnected = ::socket(AF_INET, SOCK_STREAM, 0);
  CHECK_THROWS_AS(Channel::from_descriptor(unconnected), std::invalid_argument);
  ::close(unconnected);
}

TEST_CASE("channels move", "[channel]") {
  auto [here, there] = make_socket_channel();
  Channel moved = std::move(here);
  moved.send(bytes_of("x"));
  CHECK(message_text(there.recv()) == "x");
  moved = std::move(there);  // closes what it had
  CHECK(moved.recv() == std::nullopt);
}

TEST_CASE("a shared region is zeroed, writable and movable", "[channel]") {
  SharedRegion region(10'000);
  REQUIRE(region.bytes().size() == 10'000);
  CHECK(region.bytes()[9'999] == std::byte{0});
  region.bytes()[9'999] = std::byte{7};
  SharedRegion moved = std::move(region);
  CHECK(region.bytes().empty());
  CHECK(moved.bytes()[9'999] == std::byte{7});
  CHECK_THROWS_AS(SharedRegion(0), std::invalid_argument);
  CHECK_THROWS_AS(SharedRegion(~std::size_t{0} / 2), std::system_error);
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked process talks over a channel and shares a region", "[channel]") {
  auto [mine, its] = make_channel(GENERATE(0, 1));
  const SharedRegion region(4096);
  auto* count = ::new (region.bytes().data()) std::atomic<int>(1);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    mine.close();
    *count += 41;
    its.send(*its.recv());
    ::_exit(0);
  }
  its.close();
  mine.send(bytes_of("there and back"));
  CHECK(message_text(mine.recv()) == "there and back");
  CHECK(*count == 42);
  CHECK(mine.recv() == std::nullopt);
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
#endif
