#include "catch.hpp"

#include <bulkhead/logging.hpp>

#include <spdlog/details/os.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <thread>

using namespace bulkhead;

namespace {

// Stands in for the default logger while it lives.
class Log {
 public:
  Log() : before_(spdlog::default_logger()), sink_(std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(64)) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink_));
    spdlog::set_pattern("<%l> %v");
  }
  ~Log() { spdlog::set_default_logger(before_); }
  std::string last() const {
    const auto lines = sink_->last_formatted(1);
    return lines.empty() ? "" : lines.front();
  }
  std::string line(const std::string& message) const {
    spdlog::info(message);
    return last();
  }
  spdlog::sink_ptr sink() const { return sink_; }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_;
};

std::string this_thread() { return "[thread " + std::to_string(spdlog::details::os::thread_id()) + "] "; }
std::string this_process() { return "[process " + std::to_string(spdlog::details::os::pid()) + "] "; }

}  // namespace

TEST_CASE("thread info stands before each message and goes away again", "[logging]") {
  const Log log;
  CHECK(log.line("plain") == "<info> plain\n");
  start_logging_with_thread_info();
  CHECK(log.line("mine") == "<info> " + this_thread() + "mine\n");
  std::string others;
  std::thread([&] {
    others = this_thread();
    spdlog::warn("theirs");
  }).join();
  CHECK(log.last() == "<warning> " + others + "theirs\n");
  CHECK(others != this_thread());
  stop_logging_with_thread_info();
  CHECK(log.line("plain") == "<info> plain\n");
  CHECK(spdlog::default_logger()->sinks() == std::vector{log.sink()});
}

TEST_CASE("process info, and both together", "[logging]") {
  const Log log;
  start_logging_with_process_info();
  CHECK(log.line("x") == "<info> " + this_process() + "x\n");
  start_logging_with_thread_info();
  CHECK(log.line("x") == "<info> " + this_process() + this_thread() + "x\n");
  stop_logging_with_process_info();
  CHECK(log.line("x") == "<info> " + this_thread() + "x\n");
  stop_logging_with_thread_info();
  CHECK(log.line("x") == "<info> x\n");
}

TEST_CASE("nested starts are counted, a stop too many is nothing", "[logging]") {
  const Log log;
  stop_logging_with_thread_info();
  start_logging_with_thread_info();
  start_logging_with_thread_info();
  stop_logging_with_thread_info();
  CHECK(log.line("x") == "<info> " + this_thread() + "x\n");
  stop_logging_with_thread_info();
  stop_logging_with_thread_info();
  CHECK(log.line("x") == "<info> x\n");
}

TEST_CASE("formats and levels set meanwhile reach the sink and stay", "[logging]") {
  const Log log;
  start_logging_with_thread_info();
  spdlog::set_pattern("%v!");
  CHECK(log.line("x") == this_thread() + "x!\n");
  log.sink()->set_level(spdlog::level::err);
  CHECK(log.line("unheard") == this_thread() + "x!\n");
  log.sink()->set_level(spdlog::level::trace);
  stop_logging_with_thread_info();
  CHECK(log.line("y") == "y!\n");
}
