// Functions for `bulkhead call`, in a shared object of your own. Header-only: a plugin links to nothing of ours.
//
//     #include <bulkhead/plugin.hpp>
//     long square(long x) { return x * x; }
//     BULKHEAD_FUNCTION(square, square)
//
//     g++ -std=c++20 -shared -fPIC square.cpp -o square.so && bulkhead call ./square.so ::: 1 2 3
//
// How a record becomes a function's argument, and its result a line:
//
//   std::string, std::string_view   the record as it is; a result as it is
//   numbers, bool                   written plainly: 42, -1e3, true (or 1); a result likewise
//   all else that cereal carries    JSON, a value a record; a result is one line of JSON
//   void                            a result that prints nothing
//
// In JSON a type's members stand in an object by the names that it gives them (CEREAL_NVP), in any order; members it
// does not know are passed over, and a missing one is an error unless it is a std::optional. An array in the order of
// the members does as well. Members without names are value0, value1, ...; a pair is {"first":..,"second":..}, or two
// elements of an array. Sequences and sets are arrays, maps with string keys are objects, other maps arrays of
// {"key":..,"value":..}; an empty optional is null, an enum its number. A number must fit its type. Pointers are
// refused by the compiler.
//
// A function of several parameters takes as many columns: of sources that are multiplied or linked (::: and :::+), or
// that --colsep makes. One of a single parameter gets the columns with a space between.
#pragma once

#include <bulkhead/detail/plugin_interface.hpp>
#include <bulkhead/detail/record_function.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bulkhead::plugin {

/// What this shared object offers. Hidden, so that every plugin has its own.
[[gnu::visibility("hidden")]] inline Contents& contents() noexcept {
  static Contents all{abi_version, nullptr, nullptr, nullptr};
  return all;
}

/// Adds itself to the list when the shared object is loaded.
class [[gnu::visibility("hidden")]] Registration {
 public:
  Registration(const char* name, decltype(Function::call) call) noexcept : function_{name, call, contents().functions} {
    contents().functions = &function_;
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Function function_;
};

/// Likewise. Hooks run in the order in which they stand in a file.
class [[gnu::visibility("hidden")]] HookRegistration {
 public:
  HookRegistration(const Hook* Contents::*list, decltype(Hook::run) run) noexcept : hook_{run, nullptr} {
    const Hook** last = &(contents().*list);
    while (*last) last = const_cast<const Hook**>(&(*last)->next);
    *last = &hook_;
  }
  HookRegistration(const HookRegistration&) = delete;
  HookRegistration& operator=(const HookRegistration&) = delete;

 private:
  Hook hook_;
};

/// Runs `body`, which returns a Status, and says what it throws.
template <class Body>
int guarded(Sink sink, void* context, const Body& body) noexcept {
  std::string words;
  try {
    return body();
  } catch (const std::exception& error) {
    words = error.what();
  } catch (...) {
    words = "an exception that is no std::exception";
  }
  sink(context, words.data(), words.size());
  return threw;
}

template <auto Func>
int call(const Column* columns, std::size_t count, Sink sink, void* context) {
  return guarded(sink, context, [&]() -> int {
    std::vector<std::string_view> record;
    record.reserve(count);
    for (std::size_t i = 0; i < count; ++i) record.emplace_back(columns[i].data, columns[i].size);
    const std::optional<std::string> result = detail::call_with_record(Func, record);
    if (!result) return nothing;
    sink(context, result->data(), result->size());
    return answered;
  });
}

template <auto Func>
int run_hook(Sink sink, void* context) {
  return guarded(sink, context, []() -> int {
    Func();
    return nothing;
  });
}

}  // namespace bulkhead::plugin

extern "C" {
/// What the tool looks for. Inline, since every file of a plugin may define it.
[[gnu::visibility("default")]] inline const bulkhead::plugin::Contents* bulkhead_plugin_functions() {
  return &bulkhead::plugin::contents();
}
}

/// Makes `function` callable as `name` by `bulkhead call PLUGIN.so:name`: any R fn(T), or fn(A, B) of several columns,
/// of the types listed above. A record that does not parse, and an exception, fail that record alone. Once per name, at
/// namespace scope.
#define BULKHEAD_FUNCTION(name, function)                                        \
  static const ::bulkhead::plugin::Registration bulkhead_registration_of_##name( \
      #name, &::bulkhead::plugin::call<(function)>);                             \
  [[gnu::used]] static const auto bulkhead_entry_of_##name = &bulkhead_plugin_functions;

#define BULKHEAD_PLUGIN_JOIN_(a, b) a##b
#define BULKHEAD_PLUGIN_JOIN(a, b) BULKHEAD_PLUGIN_JOIN_(a, b)
#define BULKHEAD_PLUGIN_HOOK(list, function)                                                              \
  static const ::bulkhead::plugin::HookRegistration BULKHEAD_PLUGIN_JOIN(bulkhead_hook_of_, __COUNTER__)( \
      &::bulkhead::plugin::Contents::list, &::bulkhead::plugin::run_hook<(function)>);

/// `function`, a void() without state, is run in every fresh worker before its first record, as
/// WorkOptions::worker_init is: for a table or model that every record needs. If it throws or dies no record is
/// charged; a run whose workers only die so is given up, with its words. Several run in the order in which they stand
/// in a file.
#define BULKHEAD_WORKER_INIT(function) BULKHEAD_PLUGIN_HOOK(worker_init, function)

/// Likewise, after a worker's last record. Not in a worker that dies or is killed.
#define BULKHEAD_WORKER_EXIT(function) BULKHEAD_PLUGIN_HOOK(worker_exit, function)
