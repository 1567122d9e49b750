// --quarantine: the records that crashed for good, as they were read, so that the file can be fed in again.
#pragma once

#include "output/console.hpp"
#include "rules/attempt.hpp"
#include "rules/settings.hpp"

#include <bulkhead/append_log.hpp>

#include <string>

namespace bulkhead::tool {

/// Takes the same options to be read again. Records of several sources have TABs between their values.
class Quarantine {
 public:
  /// Empties the file; with --resume, whose tasks will not be run again, keeps the whole records in it. Throws
  /// UsageError where another run writes it, std::system_error naming it.
  Quarantine(const Settings& settings, Console& console);

  /// Every record of this task, on disk when it returns. `header`: stands first in the file (--header; empty: none).
  /// Throws std::system_error naming the file; nothing must follow then.
  void add(const Task& task, const std::string& header);
  /// Throws std::system_error where it was removed or replaced meanwhile.
  void check_in_place() const { log_.check_in_place(); }

 private:
  void warn(const Task& task);

  const Settings& settings_;
  Console& console_;
  AppendLog log_;
  bool empty_ = true, warned_ = false;
};

}  // namespace bulkhead::tool
