// What the coordinator and its fork server say to each other: fixed, small, whole messages. Both are our own code, in
// processes that run nothing of the user's.
#pragma once

#include <cstdint>
#include <span>

namespace bulkhead::process {

enum class OrderKind : std::uint8_t {
  fork,       // a worker; with descriptors: its memory, the write end of its pipe, its end of the
              // lifeline and, where that is kept, its standard error
  terminate,  // SIGTERM to its whole process group
  pause,      // stop every worker, and all that they have started
  proceed,    // and let them go on
  leave,      // no worker is asked for any more: to end when the last one has
};

/// How a worker comes to be.
enum class Birth : std::uint8_t {
  at_once,
  at_leisure,       ///< nobody waits for it: it is told of together with what the server says next, or a little later
  on_servers_core,  ///< at once; and there the server stays until it is asked for one in another way
};

struct Order {
  std::uint64_t worker = 0;  // the coordinator's number for it, never used twice
  std::uint64_t lane = 0;
  std::uint32_t seed = 0;
  OrderKind kind = OrderKind::fork;
  std::uint8_t descriptors = 0;  // that come with it
  Birth birth = Birth::at_once;
};

enum class ReportKind : std::uint8_t {
  ready,    // the server serves; with a descriptor if it is the first of a pid namespace: its pidfd
  born,     // with a descriptor: its pidfd
  refused,  // by the kernel: `error`; instead of ready, a pid namespace: `number` is the step
  ended,    // reaped, and everything that it left was ended
};

struct Report {
  std::uint64_t worker = 0;
  ReportKind kind = ReportKind::ready;
  bool signaled = false;
  bool dumped = false;
  std::int32_t pid = 0;
  std::int32_t error = 0;
  std::int32_t number = 0;    // the signal, or the exit code
  std::uint32_t left = 0;     // descendants that outlived it, and were ended
  std::uint64_t max_rss = 0;  // bytes
  std::uint64_t user_us = 0, system_us = 0;
};

template <class Message>
std::span<std::byte> bytes_of(Message& message) noexcept {
  return std::as_writable_bytes(std::span(&message, 1));
}
template <class Message>
std::span<const std::byte> bytes_of(const Message& message) noexcept {
  return std::as_bytes(std::span(&message, 1));
}

}  // namespace bulkhead::process
