// Runs of results that ended before their turn, as the bytes they came in, until it comes.
#pragma once

#include <bulkhead/detail/process_engine.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// A completion of many tasks keeps its bytes only until the engine is asked again; here they are copied. Made to
/// outcomes at once, the results would take five times the memory, and be moved once more.
class HeldRuns {
 public:
  void put(const Completion& run) {
    const std::size_t bytes = std::size_t{run.count} * run.stride;
    Held held{run, room(bytes)};
    std::memcpy(held.bytes.get(), run.data, bytes);
    held.run.data = held.bytes.get();
    held_.emplace_hint(held_.end(), run.task, std::move(held));
  }
  /// Whether the run that begins with this task is here.
  bool has(std::uint64_t task) const noexcept { return !held_.empty() && held_.begin()->first == task; }
  /// The first one. Its bytes are valid until this is called again.
  Completion take() {
    const auto first = held_.begin();
    if (taken_.bytes) spare_of(std::size_t{taken_.run.count} * taken_.run.stride).push_back(std::move(taken_.bytes));
    taken_ = std::move(first->second);
    held_.erase(first);
    return taken_.run;
  }

 private:
  using Bytes = std::unique_ptr<std::byte[]>;
  struct Held {
    Completion run;
    Bytes bytes;
  };

  // Used again, by powers of two: given back to the heap, these would be returned to the kernel and faulted in anew.
  std::vector<Bytes>& spare_of(std::size_t bytes) {
    const auto power = static_cast<std::size_t>(std::bit_width(bytes - 1));
    if (power >= spare_.size()) spare_.resize(power + 1);
    return spare_[power];
  }
  Bytes room(std::size_t bytes) {
    std::vector<Bytes>& spare = spare_of(bytes);
    if (spare.empty()) return std::make_unique_for_overwrite<std::byte[]>(std::bit_ceil(bytes));
    Bytes last = std::move(spare.back());
    spare.pop_back();
    return last;
  }

  std::map<std::uint64_t, Held> held_;  // by the first task
  Held taken_;
  std::vector<std::vector<Bytes>> spare_;
};

}  // namespace bulkhead::detail
