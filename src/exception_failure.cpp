#include <bulkhead/detail/exception_failure.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
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

}  // namespace bulkhead::detail
