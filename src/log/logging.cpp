#include <bulkhead/logging.hpp>

#include <spdlog/details/os.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace bulkhead {
namespace {

std::atomic<unsigned> thread_starts{0}, process_starts{0};

// spdlog cannot tell which format a sink has, so it could not be put back after a change. This stands before the sink
// instead and lengthens the message on its way to it.
class PrefixingSink final : public spdlog::sinks::sink {
 public:
  explicit PrefixingSink(spdlog::sink_ptr inner) : inner_(std::move(inner)) {}

  void log(const spdlog::details::log_msg& message) override {
    if (!inner_->should_log(message.level)) return;
    std::string text;
    if (process_starts > 0) text += "[process " + std::to_string(spdlog::details::os::pid()) + "] ";
    if (thread_starts > 0) text += "[thread " + std::to_string(message.thread_id) + "] ";
    text.append(message.payload.data(), message.payload.size());
    spdlog::details::log_msg prefixed = message;
    prefixed.payload = text;
    inner_->log(prefixed);
  }
  void flush() override { inner_->flush(); }
  void set_pattern(const std::string& pattern) override { inner_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    inner_->set_formatter(std::move(formatter));
  }

  const spdlog::sink_ptr& inner() const noexcept { return inner_; }

 private:
  spdlog::sink_ptr inner_;
};

std::mutex starting;
std::shared_ptr<spdlog::logger> prefixed_logger;  // while any prefix is in force

void put_prefixes() {
  prefixed_logger = spdlog::default_logger();
  if (!prefixed_logger) return;
  for (spdlog::sink_ptr& sink : prefixed_logger->sinks()) sink = std::make_shared<PrefixingSink>(sink);
}

void take_prefixes_away() {
  if (!prefixed_logger) return;
  for (spdlog::sink_ptr& sink : prefixed_logger->sinks())
    if (const auto prefixing = std::dynamic_pointer_cast<PrefixingSink>(sink)) sink = prefixing->inner();
  prefixed_logger.reset();
}

void start(std::atomic<unsigned>& starts) {
  const std::scoped_lock lock(starting);
  if (thread_starts + process_starts == 0) put_prefixes();
  ++starts;
}

void stop(std::atomic<unsigned>& starts) {
  const std::scoped_lock lock(starting);
  if (starts == 0) return;
  --starts;
  if (thread_starts + process_starts == 0) take_prefixes_away();
}

}  // namespace

void start_logging_with_thread_info() { start(thread_starts); }
void stop_logging_with_thread_info() { stop(thread_starts); }
void start_logging_with_process_info() { start(process_starts); }
void stop_logging_with_process_info() { stop(process_starts); }

}  // namespace bulkhead
