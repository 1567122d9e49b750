// A function per record, in long-lived workers: what stands behind `bulkhead call` and behind batch_main().
#pragma once

#include "rules/settings.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace bulkhead::tool {

struct RecordFunction {
  std::string shown_name;   ///< what is called, as a shell has it: a record behind ::: makes it the record's command
  bool runs_alone = false;  ///< that command is also how a failure is looked into, and not `bulkhead replay`
  std::function<std::optional<std::string>(std::span<const std::string> columns)> call;  ///< nullopt: prints nothing
  std::function<void()> worker_init{}, worker_exit{};
};

/// Returns the exit status. Throws std::system_error for what cannot even begin.
int function_batch(const Settings& settings, const RecordFunction& function);

}  // namespace bulkhead::tool
