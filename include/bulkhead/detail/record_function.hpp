// A function of any types, seen as one from the text of a record to the text of a result: for plugins and batch_main().
#pragma once

#include <bulkhead/detail/json_archive.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace bulkhead::detail {

template <class T>
concept Text = std::same_as<T, std::string> || std::same_as<T, std::string_view>;
template <class T>
concept Number = std::is_arithmetic_v<T>;

template <Number T>
T parse_number(std::string_view text) {
  if constexpr (std::same_as<T, bool>) {
    if (text == "1" || text == "true") return true;
    if (text == "0" || text == "false") return false;
    throw std::invalid_argument("the record is neither true nor false");
  } else {
    T number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range)
      throw std::out_of_range("the record is a number too large for its type");
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
      throw std::invalid_argument("the record is not a number");
    return number;
  }
}

/// Strings are the record itself, numbers and bools are written plainly, all else is JSON.
template <class T>
T parse_record(std::string_view text) {
  if constexpr (Text<T>) {
    return T(text);
  } else if constexpr (Number<T>) {
    return parse_number<T>(text);
  } else {
    static_assert(FromJson<T>, "the function's parameter is neither a string nor a number nor serialized by cereal");
    return from_json<T>(text);
  }
}

template <class R>
std::string print_result(const R& result) {
  if constexpr (Text<R>) {
    return std::string(result);
  } else if constexpr (std::is_convertible_v<const R&, const char*>) {
    return std::string(static_cast<const char*>(result));
  } else if constexpr (std::same_as<R, bool>) {
    return result ? "true" : "false";
  } else if constexpr (Number<R>) {
    char text[64];
    const auto [end, error] = std::to_chars(text, text + sizeof text, result);
    static_cast<void>(error);  // none needs more than these
    return std::string(text, end);
  } else {
    static_assert(ToJson<R>, "the function's result is neither a string nor a number nor serialized by cereal");
    return to_json(result);
  }
}

/// The parameters of a function, however it is written.
template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class R, class... T>
struct Signature<R (*)(T...)> {
  static_assert(sizeof...(T) > 0, "a function for records takes a record");
  using Parameters = std::tuple<std::remove_cvref_t<T>...>;
  static constexpr std::size_t count = sizeof...(T);
};
template <class R, class... T>
struct Signature<R (*)(T...) noexcept> : Signature<R (*)(T...)> {};
template <class C, class R, class... T>
struct Signature<R (C::*)(T...)> : Signature<R (*)(T...)> {};
template <class C, class R, class... T>
struct Signature<R (C::*)(T...) noexcept> : Signature<R (*)(T...)> {};
template <class C, class R, class... T>
struct Signature<R (C::*)(T...) const> : Signature<R (*)(T...)> {};
template <class C, class R, class... T>
struct Signature<R (C::*)(T...) const noexcept> : Signature<R (*)(T...)> {};

// In which of several columns it went wrong.
template <class T>
T parse_column(std::string_view text, std::size_t column, std::size_t columns) {
  if (columns == 1) return parse_record<T>(text);
  try {
    return parse_record<T>(text);
  } catch (const std::exception& error) {
    throw std::invalid_argument("column " + std::to_string(column + 1) + ": " + error.what());
  }
}

/// Calls `func` with the columns of a record: one for each of its parameters; for a function of one they are joined by
/// spaces. nullopt: the function is void. Throws std::invalid_argument for what does not parse, and what `func` throws.
template <class F>
std::optional<std::string> call_with_record(F&& func, std::span<const std::string_view> columns) {
  using Called = Signature<std::decay_t<F>>;
  std::string joined;
  std::string_view one;
  if (Called::count == 1 && columns.size() != 1) {
    for (const std::string_view column : columns) joined.append(joined.empty() ? "" : " ").append(column);
    one = joined;
    columns = {&one, 1};
  }
  if (columns.size() != Called::count)
    throw std::invalid_argument("the function takes " + std::to_string(Called::count) +
                                " columns, and the record has " + std::to_string(columns.size()));
  return [&]<std::size_t... I>(std::index_sequence<I...>)->std::optional<std::string> {
    // In braces, so that the first column that does not parse is the one that is named.
    typename Called::Parameters values{
        parse_column<std::tuple_element_t<I, typename Called::Parameters>>(columns[I], I, Called::count)...};
    using R = std::invoke_result_t<F, std::tuple_element_t<I, typename Called::Parameters>...>;
    if constexpr (std::is_void_v<R>) {
      std::invoke(func, std::move(std::get<I>(values))...);
      return std::nullopt;
    } else {
      return print_result<std::remove_cvref_t<R>>(std::invoke(func, std::move(std::get<I>(values))...));
    }
  }
  (std::make_index_sequence<Called::count>());
}

}  // namespace bulkhead::detail
