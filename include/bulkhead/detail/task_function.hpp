// How a work function is called: what it returns, how it wants to be told of a stop, whether it leaves its item whole.
#pragma once

#include <bulkhead/outcome.hpp>
#include <bulkhead/stop_request.hpp>

#include <concepts>
#include <functional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace bulkhead::detail {

/// F takes a std::stop_token after the item, or a StopRequest, which is made from one.
template <class F, class Item>
concept StoppableFunction = std::is_invocable_v<F&, Item, std::stop_token>;

template <class F, class Item>
concept TaskFunction = StoppableFunction<F, Item> || std::is_invocable_v<F&, Item>;

template <class F, class Item>
struct TaskResultOf : std::invoke_result<F&, Item> {};
template <class F, class Item>
requires StoppableFunction<F, Item>
struct TaskResultOf<F, Item> : std::invoke_result<F&, Item, std::stop_token> {
};

/// What `func` returns for an rvalue item, references and const taken off: an outcome owns its value.
template <class F, class Item>
using TaskResult = std::remove_cvref_t<typename TaskResultOf<F, Item>::type>;

/// `stop`: a std::stop_token, or for what is no TokenFunction a StopRequest.
template <class F, class Item, class Stop>
decltype(auto) invoke_task(F& func, Item&& item, const Stop& stop) {
  if constexpr (StoppableFunction<F, Item>) {
    return std::invoke(func, std::forward<Item>(item), stop);
  } else {
    return std::invoke(func, std::forward<Item>(item));
  }
}

// A generic function's body is never instantiated with a const item only to ask: it need not compile.
template <class F>
concept OneSignature = std::is_function_v<std::remove_pointer_t<F>> || std::is_member_pointer_v<F> || requires {
  &F::operator();
};

/// F takes a StopRequest after the item, as far as it says what it takes.
template <class F, class Item>
concept RequestFunction = OneSignature<std::remove_cvref_t<F>> && std::is_invocable_v<F&, Item, const StopRequest&>;

/// F is to get a std::stop_token after the item.
template <class F, class Item>
concept TokenFunction = StoppableFunction<F, Item> && !RequestFunction<F, Item>;

template <class F, class Item>
constexpr bool takes_const_item() {
  if constexpr (OneSignature<std::remove_cvref_t<F>>) {
    return TaskFunction<F, const Item&>;
  } else {
    return false;
  }
}

/// The item of a failed attempt can be given to another: it was copied before, or `func` cannot take it apart.
template <class F, class Item>
inline constexpr bool item_survives = std::copy_constructible<Item> || takes_const_item<F, Item>();

/// Calls `func` so that `item` is whole afterwards, by giving it a copy where there can be one.
template <class F, class Item>
decltype(auto) invoke_keeping(F& func, Item& item, const std::stop_token& stop) {
  if constexpr (std::copy_constructible<Item>) {
    return invoke_task(func, Item(std::as_const(item)), stop);
  } else {
    return invoke_task(func, std::as_const(item), stop);
  }
}

}  // namespace bulkhead::detail
