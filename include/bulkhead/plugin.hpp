// Functions for `bulkhead call`, in a shared object of your own. Header-only: a plugin links to nothing of ours.
//
//     #include <bulkhead/plugin.hpp>
//     long square(long x) { return x * x; }
//     BULKHEAD_FUNCTION(square, square)
//
//     g++ -std=c++20 -shared -fPIC square.cpp -o square.so && bulkhead call ./square.so ::: 1 2 3
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace bulkhead::plugin {

/// Changes when the structs below do. A tool refuses a plugin of another version.
inline constexpr std::uint32_t abi_version = 1;

/// Takes the bytes of a result or of an error's words; they are borrowed for the length of the call.
using Sink = void (*)(void* context, const char* data, std::size_t size);

/// One function, as plain C: no type of the standard library crosses the border between plugin and tool.
struct Function {
  std::uint32_t version;
  const char* name;
  /// Returns 0 and gives the result to `sink`, or 1 and gives an exception's words. Never throws.
  int (*call)(const char* record, std::size_t size, Sink sink, void* context);
  const Function* next;  ///< a list of all functions of the plugin
};

/// The head of this shared object's list. Hidden, so that every plugin has its own.
[[gnu::visibility("hidden")]] inline const Function*& functions() noexcept {
  static const Function* head = nullptr;
  return head;
}

/// Adds itself to the list when the shared object is loaded.
class [[gnu::visibility("hidden")]] Registration {
 public:
  Registration(const char* name, int (*call)(const char*, std::size_t, Sink, void*)) noexcept
      : function_{abi_version, name, call, functions()} {
    functions() = &function_;
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Function function_;
};

/// What a record can be turned into, and a result made from.
template <class T>
concept Text = std::same_as<T, std::string> || std::same_as<T, std::string_view>;
template <class T>
concept Number = std::is_arithmetic_v<T>;

template <class T>
requires Text<T> || Number<T> T parse(std::string_view record) {
  if constexpr (Text<T>) {
    return T(record);
  } else if constexpr (std::same_as<T, bool>) {
    if (record == "1" || record == "true") return true;
    if (record == "0" || record == "false") return false;
    throw std::invalid_argument("the record is neither true nor false");
  } else {
    T number{};
    const auto [end, error] = std::from_chars(record.data(), record.data() + record.size(), number);
    if (error == std::errc::result_out_of_range)
      throw std::out_of_range("the record is a number too large for its type");
    if (record.empty() || error != std::errc() || end != record.data() + record.size())
      throw std::invalid_argument("the record is not a number");
    return number;
  }
}

template <class R>
requires Text<R> || Number<R> std::string print(const R& result) {
  if constexpr (Text<R>) {
    return std::string(result);
  } else if constexpr (std::same_as<R, bool>) {
    return result ? "true" : "false";
  } else {
    char text[64];
    const auto [end, error] = std::to_chars(text, text + sizeof text, result);
    return std::string(text, end);
  }
}

/// The parameter of a function of one argument, however it is written.
template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class R, class T>
struct Signature<R (*)(T)> {
  using Parameter = std::remove_cvref_t<T>;
};
template <class R, class T>
struct Signature<R (*)(T) noexcept> : Signature<R (*)(T)> {};
template <class C, class R, class T>
struct Signature<R (C::*)(T) const> : Signature<R (*)(T)> {};
template <class C, class R, class T>
struct Signature<R (C::*)(T) const noexcept> : Signature<R (*)(T)> {};

/// Record in, text out, around any function of the kinds above.
template <auto Func>
int call(const char* record, std::size_t size, Sink sink, void* context) {
  using Parameter = typename Signature<std::decay_t<decltype(Func)>>::Parameter;
  std::string words;
  int status = 0;
  try {
    words = print(std::invoke(Func, parse<Parameter>(std::string_view(record, size))));
  } catch (const std::exception& error) {
    words = error.what();
    status = 1;
  } catch (...) {
    words = "an exception that is no std::exception";
    status = 1;
  }
  sink(context, words.data(), words.size());
  return status;
}

}  // namespace bulkhead::plugin

extern "C" {
/// What the tool looks for. Inline, since every file of a plugin may define it.
[[gnu::visibility("default")]] inline const bulkhead::plugin::Function* bulkhead_plugin_functions() {
  return bulkhead::plugin::functions();
}
}

/// Makes `function` callable as `name` by `bulkhead call PLUGIN.so:name`. `std::string fn(std::string_view)`, or any
/// R fn(T) where T and R are arithmetic or strings: the record is parsed to T, R is printed. A record that does not
/// parse, and an exception, fail that record alone. Once per name, at namespace scope.
#define BULKHEAD_FUNCTION(name, function)                                        \
  static const ::bulkhead::plugin::Registration bulkhead_registration_of_##name( \
      #name, &::bulkhead::plugin::call<(function)>);                             \
  [[gnu::used]] static const auto bulkhead_entry_of_##name = &bulkhead_plugin_functions;
