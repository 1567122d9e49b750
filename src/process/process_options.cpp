#include "process/process_options.hpp"

#include <bulkhead/detail/check_options.hpp>

#include <stdexcept>
#include <string>

namespace bulkhead::process {

namespace {

constexpr std::size_t most_workers = 4096;

void refuse_if(bool asked_for, const char* field) {
  if (asked_for)
    throw std::invalid_argument(std::string("bulkhead: WorkOptions::") + field +
                                " is not enforced by this version; leave it at its default");
}

}  // namespace

void check_process_options(const WorkOptions& options) {
  detail::check_common_options(options);
  refuse_if(options.isolation != Isolation::contained, "isolation");
  if (options.num_workers > most_workers)
    throw std::invalid_argument("bulkhead: WorkOptions::num_workers: " + std::to_string(options.num_workers) +
                                " processes; at most " + std::to_string(most_workers));
}

}  // namespace bulkhead::process
