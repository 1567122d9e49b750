#include "os/crash_record.hpp"

#include "os/apart.hpp"
#include "os/at_birth.hpp"
#include "os/child.hpp"

#include <signal.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <atomic>

namespace bulkhead::os {

namespace {

CrashRecord* noted_in = nullptr;
std::uint64_t noted_of = 0;  // a child of this process has the handler as well, and not the record's memory
constexpr std::array fatal{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

struct Walk {
  CrashRecord& record;
  bool past_handler = false;
};

// The handler's own frames end at the signal trampoline: the first frame whose address is the exact one that faulted.
_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  int exact = 0;
  const auto address = static_cast<std::uint64_t>(_Unwind_GetIPInfo(context, &exact));
  walk.past_handler |= exact != 0;
  if (!walk.past_handler || address == 0) return _URC_NO_REASON;
  // A return address stands behind its call, which may be the last instruction of its function.
  walk.record.frames[walk.record.count++] = exact != 0 ? address : address - 1;
  return walk.record.count == CrashRecord::max_frames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

void note(int sig, siginfo_t* info, void*) {
  ::signal(sig, SIG_DFL);  // first of all: a fault in here ends the process at once, with what was noted so far
  CrashRecord* const record = process_identity() == noted_of ? noted_in : nullptr;
  if (record != nullptr && record->signal == 0) {
    record->address = info->si_code > 0 ? reinterpret_cast<std::uint64_t>(info->si_addr) : 0;
    record->count = 0;
    record->signal = static_cast<std::uint64_t>(sig);
    Walk walk{*record};
    _Unwind_Backtrace(note_frame, &walk);  // finds its tables by _dl_find_object, which takes no lock
  }
  // Where an instruction faulted it will fault again; what was sent, or comes behind its instruction, would be over.
  if (info->si_code <= 0 || sig == SIGTRAP || sig == SIGSYS) ::raise(sig);
}

BULKHEAD_APART alignas(16) std::array<char, 64u << 10> alternate_stack;

// The first unwinding loads and resolves what later ones only use: here, where that is harmless.
_Unwind_Reason_Code stop_at_once(_Unwind_Context*, void*) { return _URC_END_OF_STACK; }

}  // namespace

BULKHEAD_AT_BIRTH void prepare_to_handle_crashes() noexcept {
  static std::atomic<bool> prepared = false;  // two threads may do it twice, which changes nothing
  if (prepared) return;
  _Unwind_Backtrace(stop_at_once, nullptr);
  prepared = true;
}

BULKHEAD_AT_BIRTH void handle_crashes() noexcept {
  prepare_to_handle_crashes();
  stack_t alternate{};
  alternate.ss_sp = alternate_stack.data();
  alternate.ss_size = alternate_stack.size();
  ::sigaltstack(&alternate, nullptr);
  for (const int sig : fatal) {
    struct sigaction action {};
    if (::sigaction(sig, nullptr, &action) != 0) continue;
    const bool taken = (action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL;
    if (taken && action.sa_sigaction != note) continue;
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    ::sigaction(sig, &action, nullptr);
  }
}

BULKHEAD_AT_BIRTH void note_crashes_in(CrashRecord& record) noexcept {
  noted_in = &record;
  noted_of = process_identity();
}

}  // namespace bulkhead::os
