#include "process/fork_server_loop.hpp"

#include "os/crash_record.hpp"
#include "os/pid_namespace.hpp"
#include "os/private_descriptors.hpp"

#include <cerrno>
#include <chrono>
#include <system_error>

namespace bulkhead::process {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t orders_key = 0, host_key = 1, workers_from = 2;

}  // namespace

ForkServerLoop::ForkServerLoop(const ForkServer::Life& life, os::DescriptorSocket socket, std::vector<int> kept,
                               os::Fd host, bool crash_notes)
    : life_(life), name_(os::process_name()), socket_(std::move(socket)), host_(std::move(host)) {
  os::lead_own_group();
  os::take_default_signal_actions();
  os::adopt_orphans();
  os::forget_spared_children();
  os::name_process("bulkhead-forks");  // its workers take the program's name back
  kept.push_back(socket_.fd().get());
  kept.push_back(poller_.fd().get());
  kept.push_back(host_.get());
  kept.push_back(children_.fd().get());
  kept.push_back(out_of_memory_rank_.fd().get());
  os::close_private_descriptors(kept);
  os::note_forks();  // every worker has these by inheritance, and need not do them for itself
  if (crash_notes) os::handle_crashes();
  poller_.watch(socket_.fd().get(), orders_key);
  poller_.watch(host_.get(), host_key);
}

void ForkServerLoop::run() {
  report({.kind = ReportKind::ready}, os::is_first_in_pid_namespace() ? os::watch_process(os::process_id()) : os::Fd());
  for (;;) {
    const std::chrono::nanoseconds patience = unsent_.empty() ? std::chrono::nanoseconds(1h) : 5ms;
    for (const std::uint64_t key : poller_.wait(patience)) {
      if (key == orders_key)
        take_orders();
      else if (key == host_key)
        end_everything();
      else
        reap(key - workers_from);
    }
    send_reports();
    if (leaving_ && workers_.empty() && unsent_.empty()) end_everything();
  }
}

void ForkServerLoop::take_orders() {
  for (;;) {
    Order order;
    std::vector<os::Fd> descriptors;
    switch (socket_.receive(bytes_of(order), descriptors)) {
      case os::DescriptorSocket::Receipt::nothing_now:
        return;
      case os::DescriptorSocket::Receipt::peer_gone:
        end_everything();
      case os::DescriptorSocket::Receipt::message:
        break;
    }
    obey(order, std::move(descriptors));
  }
}

void ForkServerLoop::obey(const Order& order, std::vector<os::Fd> descriptors) {
  switch (order.kind) {
    case OrderKind::fork:
      return fork_worker(order, std::move(descriptors));
    case OrderKind::terminate:
      if (const auto found = workers_.find(order.worker); found != workers_.end())
        os::signal_group(found->second.pid(), os::GroupSignal::terminate);
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
void ForkServerLoop::fork_worker(const Order& order, std::vector<os::Fd> descriptors) {
  if (descriptors.size() != order.descriptors)
    return report({.worker = order.worker, .kind = ReportKind::refused, .error = EMFILE});
  try {
    take_on(order.worker, fork_from(order, descriptors));
  } catch (const std::system_error& e) {
    report({.worker = order.worker, .kind = ReportKind::refused, .error = e.code().value()});
  }
}

// Returns in this process only.
os::Child ForkServerLoop::fork_from(const Order& order, std::span<os::Fd> descriptors) {
  const os::OutOfMemoryRank::Raised while_forking(out_of_memory_rank_);
  if (auto child = os::fork_silently()) return *std::move(child);
  os::name_process(name_.c_str());
  life_({order.lane, order.seed, std::move(descriptors[0]), std::move(descriptors[1]), std::move(descriptors[2]),
         descriptors.size() > 3 ? std::move(descriptors[3]) : os::Fd()});
  os::leave_at_once(1);
}

void ForkServerLoop::take_on(std::uint64_t worker, os::Child child) {
  const int pid = child.pid();
  try {
    os::Fd pidfd = os::duplicate(child.pidfd());
    poller_.watch(child.pidfd().get(), workers_from + worker);
    workers_.emplace(worker, std::move(child));
    report({.worker = worker, .kind = ReportKind::born, .pid = pid}, std::move(pidfd));
  } catch (...) {  // it waits to be admitted, and never will be
    child.signal(os::Signal::kill);
    if (child) child.reap();
    throw;
  }
}

// The group is ended while its leader, unreaped, still holds the number; then whatever had left the group and came to
// us as an orphan. Only after that is the worker said to have ended: who hears it may rely on it.
void ForkServerLoop::reap(std::uint64_t worker) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  const os::Child dead = std::move(found->second);
  workers_.erase(found);
  poller_.forget(dead.pidfd().get());
  os::signal_group(dead.pid(), os::GroupSignal::kill);
  const os::Reaped reaped = os::reap_with_usage(dead.pidfd());
  std::vector<int> others;
  for (const auto& [number, child] : workers_) others.push_back(child.pid());
  const std::size_t left = os::end_children_except(others, children_);
  using std::chrono::duration_cast, std::chrono::microseconds;
  report({.worker = worker,
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

void ForkServerLoop::report(const Report& report, os::Fd pidfd) {
  unsent_.emplace_back(report, std::move(pidfd));
  send_reports();
}

void ForkServerLoop::send_reports() {
  while (!unsent_.empty()) {
    auto& [report, pidfd] = unsent_.front();
    const int descriptor = pidfd.get();
    if (!socket_.send(bytes_of(report), {&descriptor, pidfd ? 1u : 0u})) return;
    unsent_.pop_front();
  }
}

void ForkServerLoop::end_everything() noexcept {
  if (os::is_first_in_pid_namespace()) os::leave_at_once(0);  // the kernel misses nobody
  for (const auto& [number, child] : workers_) os::signal_group(child.pid(), os::GroupSignal::kill);
  os::end_children_except({});
  os::leave_at_once(0);
}

}  // namespace bulkhead::process
