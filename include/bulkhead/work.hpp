// The doors to work on many items: do_threaded_work and do_process_work, threaded_stream and process_stream.
//
//     #include <bulkhead/work.hpp>
//
//     auto results = bulkhead::do_process_work(files, parse_file, {.num_workers = 4, .task_timeout = 5s});
//     for (std::size_t i = 0; i < files.size(); ++i)
//       if (!results[i]) std::cerr << files[i] << ": " << results[i].error().describe() << '\n';
//
// Both twins take the same items, functions and options, and give the same outcomes. What threads cannot keep (an
// ending for a task that crashes or hangs) they refuse by the option's name.
#pragma once

#include <bulkhead/detail/process_work.hpp>
#include <bulkhead/detail/threaded_work.hpp>
#include <bulkhead/task.hpp>
