#include "process/birth.hpp"

#include "os/at_birth.hpp"
#include "os/child.hpp"
#include "os/crash_record.hpp"
#include "os/descendants.hpp"

namespace bulkhead::process {

void prepare_to_fork(bool crash_notes) noexcept {
  os::prepare_to_note_forks();
  if (crash_notes) os::prepare_to_handle_crashes();
}

BULKHEAD_AT_BIRTH void part_from_host(bool crash_notes) noexcept {
  os::take_default_signal_actions();
  os::forget_spared_children();
  os::note_forks();
  if (crash_notes) os::handle_crashes();
}

}  // namespace bulkhead::process
