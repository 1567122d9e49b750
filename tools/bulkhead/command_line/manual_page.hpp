// The manual page, made from the table that the help is made from.
#pragma once

#include <string>

namespace bulkhead::tool {

/// In the language of man(7).
std::string manual_page();

}  // namespace bulkhead::tool
