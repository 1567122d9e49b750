#include <bulkhead/detail/exception_failure.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <typeinfo>

namespace bulkhead::detail {
namespace {

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                             &std::free);
  return readable ? readable.get() : name;
}

void append_nested(std::string& what, const std::exception& outer) {
  try {
    std::rethrow_if_nested(outer);
  } catch (const std::exception& inner) {
    what += "; because of ";
    what += inner.what();
    append_nested(what, inner);
  } catch (...) {
    what += "; because of an exception of another kind";
  }
}

std::string current_what() {
  try {
    throw;
  } catch (const std::exception& e) {
    std::string what = e.what();
    append_nested(what, e);
    return what;
  } catch (const std::string& text) {
    return text;
  } catch (const char* text) {
    return text ? text : "";
  } catch (...) {
    return "not a std::exception";
  }
}

}  // namespace

Failure failure_from_current_exception(Ending ending) noexcept {
  Failure failure;
  failure.ending = ending;
  try {
    if (const std::type_info* type = abi::__cxa_current_exception_type()) failure.type = demangled(type->name());
    failure.what = current_what();
  } catch (...) {  // no memory for words
  }
  return failure;
}

namespace {

struct Limit {
  Ending ending;
  const char* name;
  std::uint64_t value;
};

std::optional<Limit> limit_behind(const TaskLimits& limits) noexcept {
  try {
    throw;
  } catch (const std::bad_array_new_length&) {  // a length below zero: no memory would have been enough
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    if (limits.memory != 0) return Limit{Ending::out_of_memory, "memory_limit", limits.memory};
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::too_many_files_open && limits.open_files != 0)
      return Limit{Ending::limit_exceeded, "open_files", limits.open_files};
    if (e.code() == std::errc::file_too_large && limits.file_size != 0)
      return Limit{Ending::limit_exceeded, "file_size", limits.file_size};
  } catch (...) {
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Failure failure_under_limits(const TaskLimits& limits, Ending ending) noexcept {
  const auto limit = limit_behind(limits);
  Failure failure = failure_from_current_exception(limit ? limit->ending : ending);
  try {
    if (limit)
      failure.what += " (WorkOptions::" + std::string(limit->name) + " is " + std::to_string(limit->value) + ")";
  } catch (...) {  // no memory for words
  }
  return failure;
}

}  // namespace bulkhead::detail
