// Who wrote a line of the log: the thread or the process in front of each message.
#pragma once

namespace bulkhead {

/// Puts "[thread ID] " in front of every message of spdlog's default logger; ID is the kernel's thread id of the thread
/// that logged it. `start_logging_with_thread_info` in the article on threads, queues and processes this is ported
/// from, which replaced the whole format; here the format in use is kept, and only the message grows.
///
/// Calls are counted: the prefix is there until stop_... has been called as often. With the process twin in force as
/// well, the process comes first. The default logger's list of sinks is changed, so call it while no other thread logs
/// or starts or stops, as before the threads are started. The default logger must not be replaced in between, or the
/// new one is left as it is. Throws only for lack of memory.
void start_logging_with_thread_info();

/// Takes back one start_logging_with_thread_info(); after the last one the logger is exactly as it was, format and
/// sinks included. Without a start it does nothing.
void stop_logging_with_thread_info();

/// The process twin: "[process ID] ", the id of the process that wrote the message, also after a fork.
void start_logging_with_process_info();
void stop_logging_with_process_info();

}  // namespace bulkhead
