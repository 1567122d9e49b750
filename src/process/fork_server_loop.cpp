#include "process/fork_server_loop.hpp"

#include "os/at_birth.hpp"
#include "os/pid_namespace.hpp"
#include "os/private_descriptors.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <tuple>
#include <utility>

namespace bulkhead::process {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t orders_key = 0, host_key = 1, workers_from = 2;

}  // namespace

ForkServerLoop::ForkServerLoop(const Life& life, os::DescriptorSocket socket, std::vector<int> kept, os::Fd host,
                               bool crash_notes)
    : life_(life), name_(os::process_name()), socket_(std::move(socket)), host_(std::move(host)) {
  os::lead_own_group();
  os::adopt_orphans();
  part_from_host(crash_notes);
  os::name_process("bulkhead-forks");  // its workers take the program's name back
  workers_.reserve(room_for_few_.size() / sizeof(Numbered));
  kept.push_back(socket_.fd().get());
  kept.push_back(poller_.fd().get());
  kept.push_back(host_.get());
  kept.push_back(children_.fd().get());
  kept.push_back(out_of_memory_rank_.fd().get());
  os::close_private_descriptors(kept);
  poller_.watch(socket_.fd().get(), orders_key);
  poller_.watch(host_.get(), host_key);
}

void ForkServerLoop::run() {
  report({.kind = ReportKind::ready}, os::is_first_in_pid_namespace() ? os::watch_process(os::process_id()) : os::Fd());
  for (;;) {
    constexpr std::chrono::nanoseconds for_ever = 1h, to_send_again = 5ms, to_tell = 20ms;
    const auto keys = poller_.wait(!unsent_.empty() ? to_send_again : untold_ ? to_tell : for_ever);
    if (keys.empty()) tell_birth();
    for (const std::uint64_t key : keys) {
      if (key == orders_key)
        take_order();
      else if (key == host_key)
        end_everything();
      else
        reap(key - workers_from);
    }
    send_reports();
    if (leaving_ && workers_.empty() && unsent_.empty()) {
      end_what_is_left();  // once more: after the last end memory for it may have been short
      os::leave_at_once(0);
    }
  }
}

// One: of the next the poller tells.
void ForkServerLoop::take_order() {
  Order order;
  os::Descriptors descriptors;
  switch (socket_.receive(bytes_of(order), descriptors)) {
    case os::DescriptorSocket::Receipt::nothing_now:
      return;
    case os::DescriptorSocket::Receipt::peer_gone:
      end_everything();
    case os::DescriptorSocket::Receipt::message:
      return obey(order, descriptors);
  }
}

void ForkServerLoop::obey(const Order& order, os::Descriptors& descriptors) {
  switch (order.kind) {
    case OrderKind::fork:
      return fork_worker(order, descriptors);
    case OrderKind::terminate:
      if (const auto found = worker_numbered(order.worker); found != workers_.end())
        os::signal_group(found->child.pid(), os::GroupSignal::terminate);
      return;
    case OrderKind::pause:
      return os::stop_all_descendants();
    case OrderKind::proceed:
      return os::continue_all_descendants();
    case OrderKind::leave:
      leaving_ = true;
      return;
  }
}

// What could not be given a number here, for want of descriptors, is missing from the order.
void ForkServerLoop::fork_worker(const Order& order, os::Descriptors& descriptors) {
  if (std::count_if(descriptors.begin(), descriptors.end(), [](const os::Fd& fd) { return static_cast<bool>(fd); }) !=
      order.descriptors)
    return report({.worker = order.worker, .kind = ReportKind::refused, .error = EMFILE});
  try {
    os::Child child = fork_from(order, descriptors);
    take_on(order, std::move(child), std::move(descriptors[1]));
  } catch (const std::system_error& e) {
    report({.worker = order.worker, .kind = ReportKind::refused, .error = e.code().value()});
  }
}

// Returns in this process only.
BULKHEAD_AT_BIRTH os::Child ForkServerLoop::fork_from(const Order& order, os::Descriptors& descriptors) {
  if (order.birth == Birth::on_servers_core)
    pin_.pin();
  else
    pin_.unpin();
  const os::OutOfMemoryRank::Raised while_forking(out_of_memory_rank_);
  auto [name, life, pin] =
      std::tuple(name_, life_, pin_);  // here, where a worker's stack begins: it looks at few pages
  if (auto child = os::fork_silently()) return *std::move(child);
  pin.unpin();
  os::name_process(name.data());
  life.live(life.told, {order.lane, order.seed, std::move(descriptors[0]), std::move(descriptors[1]),
                        std::move(descriptors[2]), std::move(descriptors[3])});
  os::leave_at_once(1);
}

void ForkServerLoop::take_on(const Order& order, os::Child child, os::Fd pipe) {
  tell_birth();
  try {
    if (workers_.size() == workers_.capacity()) workers_.reserve(2 * workers_.capacity());
    poller_.watch(child.pidfd().get(), workers_from + order.worker);
    workers_.push_back({order.worker, std::move(child), std::move(pipe)});
  } catch (...) {  // it waits to be admitted, and never will be
    child.signal(os::Signal::kill);
    if (child) child.reap();
    throw;
  }
  untold_ = order.worker;
  if (order.birth != Birth::at_leisure) tell_birth();
}

void ForkServerLoop::tell_birth() {
  if (!untold_) return;
  const std::uint64_t worker = *std::exchange(untold_, std::nullopt);
  const os::Child& child = worker_numbered(worker)->child;
  try {
    report({.worker = worker, .kind = ReportKind::born, .pid = child.pid()}, child.pidfd());
  } catch (const std::system_error& e) {  // it has to wait for its turn, and its pidfd cannot
    child.signal(os::Signal::kill);
    report({.worker = worker, .kind = ReportKind::refused, .error = e.code().value()});
  }
}

// The group is ended while its leader, unreaped, still holds the number; then whatever had left the group and came to
// us as an orphan. Only after that is the worker said to have ended: who hears it may rely on it.
void ForkServerLoop::reap(std::uint64_t worker) {
  const auto found = worker_numbered(worker);
  if (found == workers_.end()) return;
  if (untold_ == worker) tell_birth();
  std::swap(*found, workers_.back());
  const auto [number, dead, pipe] = std::move(workers_.back());
  workers_.pop_back();
  poller_.forget(dead.pidfd().get());
  os::signal_group(dead.pid(), os::GroupSignal::kill);
  const os::Reaped reaped = os::reap_with_usage(dead.pidfd());
  const std::size_t left = end_what_is_left();
  tell_birth();
  using std::chrono::duration_cast, std::chrono::microseconds;
  report({.worker = number,
          .kind = ReportKind::ended,
          .signaled = reaped.status.signaled,
          .dumped = reaped.status.dumped,
          .pid = dead.pid(),
          .number = reaped.status.number,
          .left = static_cast<std::uint32_t>(left),
          .max_rss = reaped.max_rss,
          .user_us = static_cast<std::uint64_t>(duration_cast<microseconds>(reaped.user_time).count()),
          .system_us = static_cast<std::uint64_t>(duration_cast<microseconds>(reaped.system_time).count())});
}

ForkServerLoop::Workers::iterator ForkServerLoop::worker_numbered(std::uint64_t number) noexcept {
  return std::find_if(workers_.begin(), workers_.end(), [=](const Numbered& one) { return one.number == number; });
}

// Nearly always nothing is.
std::size_t ForkServerLoop::end_what_is_left() {
  const auto is_worker = [this](int pid) {
    return std::any_of(workers_.begin(), workers_.end(), [=](const Numbered& one) { return one.child.pid() == pid; });
  };
  if (!children_.any_besides(is_worker)) return 0;
  std::vector<int> workers;
  for (const Numbered& one : workers_) workers.push_back(one.child.pid());
  return os::end_children_except(workers, children_);
}

void ForkServerLoop::report(const Report& report, const os::Fd& pidfd) {
  if (unsent_.empty() && send(report, pidfd)) return;
  unsent_.emplace_back(report, pidfd ? os::duplicate(pidfd) : os::Fd());
}

bool ForkServerLoop::send(const Report& report, const os::Fd& pidfd) noexcept {
  const int descriptor = pidfd.get();
  return socket_.send(bytes_of(report), {&descriptor, pidfd ? 1u : 0u});
}

void ForkServerLoop::send_reports() {
  while (!unsent_.empty() && send(unsent_.front().first, unsent_.front().second)) unsent_.pop_front();
}

void ForkServerLoop::end_everything() noexcept {
  if (os::is_first_in_pid_namespace()) os::leave_at_once(0);  // the kernel misses nobody
  for (const Numbered& one : workers_) os::signal_group(one.child.pid(), os::GroupSignal::kill);
  os::end_children_except({});
  os::leave_at_once(0);
}

}  // namespace bulkhead::process
