// A batch tool out of one function: the whole command line of `bulkhead call` around a callable of your own.
//
//     #include <bulkhead/batch.hpp>
//
//     int main(int argc, char** argv) {
//       return bulkhead::batch_main(argc, argv, [](const std::string& path) { return checksum(path); });
//     }
//
//     ./checksum --timeout 10s --retries 2 --joblog jobs.tsv < paths.txt
//
// Where Bulkhead was built with its tools, Bulkhead::bulkhead brings what this needs to link.
#pragma once

#include <bulkhead/detail/record_function.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bulkhead {

/// What a batch tool does besides calling its function. All may be left out.
struct BatchOptions {
  /// Run in every fresh worker before its first record, and after its last, as WorkOptions has them: for a table or
  /// model that every record needs. If the first throws or dies no record is charged; a run whose workers only die so
  /// is given up, with its words. The second is not run in a worker that dies or is killed.
  std::function<void()> worker_init{}, worker_exit{};
};

namespace detail {
using ColumnsFunction = std::function<std::optional<std::string>(std::span<const std::string> columns)>;
int batch_main(int argc, char** argv, ColumnsFunction function, BatchOptions options);
}  // namespace detail

/// Reads records as the command line says, calls `func` for each in long-lived worker processes, prints the results a
/// line each, and reports on standard error. `func` is any R(T), or R(A, B) for records of several columns, captures
/// included: strings are the record itself, numbers and bools are written plainly, and whatever else cereal carries is
/// JSON, as <bulkhead/plugin.hpp> says in full. A void function prints nothing. A record that does not parse, an
/// exception and a crash fail that record alone.
///
/// Returns the exit status, which `bulkhead --help` lists; never throws. Call it from main(), before other threads are
/// started, once a program.
template <class F>
int batch_main(int argc, char** argv, F func, BatchOptions options = {}) {
  return detail::batch_main(
      argc, argv,
      [f = std::move(func)](std::span<const std::string> columns) mutable {
        const std::vector<std::string_view> views(columns.begin(), columns.end());
        return detail::call_with_record(f, views);
      },
      std::move(options));
}

}  // namespace bulkhead
