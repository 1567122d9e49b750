// The border between `bulkhead call` and a plugin: plain C, with a version, so that either side may have been built by
// another compiler or against another standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::plugin {

/// Changes when the structs below do. A tool refuses a plugin of another version.
inline constexpr std::uint32_t abi_version = 2;

/// Takes the bytes of a result or of an error's words; they are borrowed for the length of the call.
using Sink = void (*)(void* context, const char* data, std::size_t size);

/// One column of a record; borrowed for the length of the call.
struct Column {
  const char* data;
  std::size_t size;
};

enum Status : int {
  answered = 0,  ///< the result has been given to the sink
  threw = 1,     ///< an exception's words have been given to the sink
  nothing = 2,   ///< done, and there is no result: the function is void
};

struct Function {
  const char* name;
  /// Never throws. Returns a Status.
  int (*call)(const Column* columns, std::size_t count, Sink sink, void* context);
  const Function* next;  ///< a list of all functions of the plugin
};

/// What is to be done once in a worker, before its first record or after its last.
struct Hook {
  /// Never throws. Returns `nothing` or `threw`.
  int (*run)(Sink sink, void* context);
  const Hook* next;  ///< to be run after this one
};

/// What `bulkhead_plugin_functions()`, the one symbol that is looked for, leads to. The version is first in every
/// version of this struct; version 1 began with it as well.
struct Contents {
  std::uint32_t version;
  const Function* functions;
  const Hook* worker_init;
  const Hook* worker_exit;
};

}  // namespace bulkhead::plugin
