// A seccomp filter: which system calls a worker is refused. Irrevocable, and inherited by whatever it starts.
#pragma once

namespace bulkhead::os {

/// The errno with which this kernel refuses to take filters; 0: it takes them. Changes nothing.
int syscall_filter_refusal() noexcept;

/// Refuses the calling thread, and the threads it starts from here on, what would reach other processes or make new
/// ones. All other calls go through. Refused ones fail with EPERM, and nobody is killed for trying, except for calls in
/// another architecture's numbering: those end the process with SIGSYS.
///
/// Holds the process id that it sees: for the process that it was called in. Needs no_new_privs. Throws
/// std::system_error.
void install_syscall_filter();

}  // namespace bulkhead::os
