#include <bulkhead/detail/coded_task.hpp>

namespace bulkhead::detail {

std::string too_large_words(const char* what, std::size_t size, const char* limit_name, std::uint64_t limit) {
  return "the " + std::string(what) + " takes " + std::to_string(size) + " bytes encoded; WorkOptions::" + limit_name +
         " is " + std::to_string(limit);
}

}  // namespace bulkhead::detail
