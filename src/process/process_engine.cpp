// The engine as the templates see it: the coordinator behind a pointer.
#include <bulkhead/detail/process_engine.hpp>

#include "process/coordinator.hpp"

namespace bulkhead::detail {

class ProcessEngine::State : public process::Coordinator {
  using Coordinator::Coordinator;
};

ProcessEngine::ProcessEngine(std::unique_ptr<TaskBody> body, const WorkOptions& options)
    : state_(std::make_unique<State>(std::move(body), options)) {}

// A copy of the engine in a forked child (a task that calls exit() destroys statics) must leave everything alone.
ProcessEngine::~ProcessEngine() {
  if (state_ && !state_->belongs_to_this_process()) static_cast<void>(state_.release());
}

void ProcessEngine::start() { state_->start(); }
bool ProcessEngine::wants_task() { return state_->wants_task(); }
ItemRow ProcessEngine::row() { return state_->row(); }
void ProcessEngine::add(std::uint64_t task, std::size_t count, std::size_t size) { state_->add(task, count, size); }
std::span<std::byte> ProcessEngine::large_room(std::size_t size) { return state_->large_room(size); }
void ProcessEngine::add_large(std::uint64_t task) { state_->add_large(task); }
void ProcessEngine::add_failed(std::uint64_t task, Failure failure) { state_->add_failed(task, std::move(failure)); }
void ProcessEngine::publish() { state_->publish(); }
void ProcessEngine::flush() { state_->flush(); }
Wake ProcessEngine::wait(int input) { return state_->wait(input); }
std::span<Completion> ProcessEngine::completions() noexcept { return state_->completions(); }
std::uint64_t ProcessEngine::outstanding() const noexcept { return state_->outstanding(); }
bool ProcessEngine::closed() const noexcept { return state_->closed(); }
const Failure* ProcessEngine::why_closed() const noexcept { return state_->why_closed(); }
void ProcessEngine::finish() { state_->finish(); }
WorkStatistics ProcessEngine::counts() const noexcept { return state_->counts(); }
WorkStatistics ProcessEngine::statistics() const noexcept { return state_->statistics(); }

}  // namespace bulkhead::detail
