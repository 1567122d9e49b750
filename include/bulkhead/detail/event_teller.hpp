// Tells a threaded run's listener what happens.
#pragma once

#include <bulkhead/event.hpp>

#include <chrono>
#include <functional>
#include <utility>

namespace bulkhead::detail {

/// In the driving thread. Refers to the listener, which may be none.
class EventTeller {
 public:
  explicit EventTeller(const std::function<void(const Event&)>& listener) noexcept : listener_(listener) {}

  explicit operator bool() const noexcept { return static_cast<bool>(listener_); }
  /// Throws what the listener throws.
  void operator()(Event event) const {
    if (!listener_) return;
    if (event.when == std::chrono::steady_clock::time_point{}) event.when = std::chrono::steady_clock::now();
    listener_(event);
  }

 private:
  const std::function<void(const Event&)>& listener_;
};

}  // namespace bulkhead::detail
