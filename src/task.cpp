#include <bulkhead/detail/current_task.hpp>

#include "os/at_birth.hpp"

#include <stdexcept>

namespace bulkhead {

BULKHEAD_AT_BIRTH detail::CurrentTask& detail::current_task() noexcept {
  static thread_local CurrentTask slot;
  return slot;
}

BULKHEAD_AT_BIRTH std::optional<ThisTask> this_task() noexcept {
  const detail::CurrentTask& slot = detail::current_task();
  return slot.active ? std::optional(slot.task) : std::nullopt;
}

void emit_output(int channel, std::span<const std::byte> bytes) {
  const detail::CurrentTask& slot = detail::current_task();
  if (!slot.active || !slot.sink)
    throw std::logic_error(
        "bulkhead::emit_output(): this thread runs no task; call it from the work function's thread");
  slot.sink->emit(slot.task, channel, bytes);
}

}  // namespace bulkhead
