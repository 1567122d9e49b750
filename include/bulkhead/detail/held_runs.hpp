// Runs of results that ended before their turn, as the bytes they came in, until it comes.
#pragma once

#include <bulkhead/detail/process_engine.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

namespace bulkhead::detail {

/// A completion of many tasks keeps its bytes only until the engine is asked again; here they are copied. Made to
/// outcomes at once, the results would take five times the memory, and be moved once more.
class HeldRuns {
 public:
  void put(const Completion& run) {
    const std::size_t bytes = std::size_t{run.count} * run.stride;
    Held held{run, std::make_unique_for_overwrite<std::byte[]>(bytes)};
    std::memcpy(held.bytes.get(), run.data, bytes);
    held.run.data = held.bytes.get();
    held_.emplace_hint(held_.end(), run.task, std::move(held));
  }
  /// Whether the run that begins with this task is here.
  bool has(std::uint64_t task) const noexcept { return !held_.empty() && held_.begin()->first == task; }
  /// The first one. Its bytes are valid until this is called again.
  Completion take() {
    const auto first = held_.begin();
    taken_ = std::move(first->second);
    held_.erase(first);
    return taken_.run;
  }

 private:
  struct Held {
    Completion run;
    std::unique_ptr<std::byte[]> bytes;
  };
  std::map<std::uint64_t, Held> held_;  // by the first task
  Held taken_;
};

}  // namespace bulkhead::detail
