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

#include <bulkhead/plugin.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace bulkhead {

namespace detail {
int batch_main(int argc, char** argv, std::function<std::string(std::string_view)> function);
}

/// Reads records as the command line says, calls `func` for each in long-lived worker processes, prints the results a
/// line each, and reports on standard error. `func` is any R(T), captures included, where T and R are strings or
/// arithmetic: a record that does not parse to T, an exception and a crash fail that record alone.
///
/// Returns the exit status, which --help and `bulkhead --help` list; never throws. Call it from main(), before other
/// threads are started, once a program.
template <class F>
int batch_main(int argc, char** argv, F func) {
  using Parameter = typename plugin::Signature<std::decay_t<F>>::Parameter;
  return detail::batch_main(argc, argv, [f = std::move(func)](std::string_view record) {
    return plugin::print(std::invoke(f, plugin::parse<Parameter>(record)));
  });
}

}  // namespace bulkhead
