// The exception in hand, put into the words of a Failure.
#pragma once

#include <bulkhead/outcome.hpp>

namespace bulkhead::detail {

/// For use in a catch block: `ending`, the exception's demangled type, and its what() (nested ones after it, joined
/// by "; because of "). A std::string or const char* that was thrown is its own what(). Never throws: without memory
/// for the words they stay empty.
Failure failure_from_current_exception(Ending ending = Ending::exception) noexcept;

}  // namespace bulkhead::detail
