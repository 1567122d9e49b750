#include <bulkhead/detail/service_thread.hpp>

#include "os/child.hpp"
#include "os/clock.hpp"
#include "os/fd.hpp"
#include "os/signal_mask.hpp"

#include <mutex>
#include <thread>

namespace bulkhead::detail {

struct ServiceThread::State {
  const std::uint64_t process = os::process_identity();
  std::mutex joining;
  std::thread thread;
  std::thread::id id;
};

ServiceThread::ServiceThread(std::function<void()> work) : state_(std::make_unique<State>()) {
  const os::AllSignalsBlocked inherited;  // by the new thread: signals are for the host's own
  state_->thread = std::thread(std::move(work));
  state_->id = state_->thread.get_id();
}

ServiceThread::~ServiceThread() {
  if (in_this_process())
    join();
  else
    static_cast<void>(state_.release());
}

void ServiceThread::join() {
  const std::lock_guard lock(state_->joining);
  if (state_->thread.joinable()) state_->thread.join();
}

bool ServiceThread::is_this_thread() const noexcept { return std::this_thread::get_id() == state_->id; }
std::chrono::nanoseconds ServiceThread::cpu_time() const noexcept {
  return os::thread_cpu_time(state_->thread.native_handle());
}
bool ServiceThread::in_this_process() const noexcept { return os::process_identity() == state_->process; }

struct Doorbell::State {
  os::WakeUp wake;
};

Doorbell::Doorbell() : state_(std::make_unique<State>()) {}
Doorbell::~Doorbell() = default;
int Doorbell::descriptor() const noexcept { return state_->wake.fd().get(); }
void Doorbell::ring() noexcept { state_->wake.notify(); }
void Doorbell::quiet() noexcept { state_->wake.clear(); }

}  // namespace bulkhead::detail
