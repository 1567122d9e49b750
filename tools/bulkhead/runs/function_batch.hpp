// A function per record, in long-lived workers: what stands behind `bulkhead call` and behind batch_main().
#pragma once

#include "rules/settings.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace bulkhead::tool {

struct RecordFunction {
  std::string shown_name;  ///< in the log and with -v
  std::function<std::string(std::string_view record)> call;
  std::function<void()> worker_init{};
};

/// Returns the exit status. Throws std::system_error for what cannot even begin.
int function_batch(const Settings& settings, const RecordFunction& function);

}  // namespace bulkhead::tool
