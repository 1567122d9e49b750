// How long a run waits for whoever reads its output: while they read, and not when it is told to stop.
#pragma once

#include "output/console.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

namespace bulkhead::tool {

class OutputFlow {
 public:
  /// `obey` heeds signals and deadlines while we wait, and returns false once the run is being stopped.
  OutputFlow(Console& console, std::function<bool()> obey) : console_(console), obey_(std::move(obey)) {}

  /// Writes on as long as the reader takes something. Returns with a little left if it takes nothing, so that the run
  /// goes on; with a lot left the run stands until the reader goes on, or until it is being stopped.
  void go_on();
  /// Waits until everything is written; from the moment the run is being stopped no longer than `grace`. Returns the
  /// bytes given up.
  std::uint64_t finish(std::chrono::milliseconds grace);

 private:
  static constexpr std::chrono::milliseconds patience{100};
  static constexpr std::uint64_t much = 16 << 20;  // bytes

  Console& console_;
  std::function<bool()> obey_;
  bool stuck_ = false;
};

}  // namespace bulkhead::tool
