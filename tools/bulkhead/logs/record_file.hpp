// A file that is made anew for this run and written to its end as the run goes on.
#pragma once

#include <bulkhead/append_log.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace bulkhead::tool {

/// Not a std::ofstream: tasks must not inherit its descriptor, and a worker that leaves by exit() must not write what
/// was buffered here once more.
class RecordFile {
 public:
  /// Creates or empties the file. Throws UsageError where another run writes it, std::system_error naming it.
  RecordFile(const std::string& option, const std::string& path);

  const std::string& path() const noexcept { return log_.path(); }
  /// Written when enough has come together. Throws std::system_error naming the file.
  void put(std::string_view text);
  void flush();
  /// The last write: and whoever looks for the file must find it. Throws as put() does.
  void finish();

 private:
  AppendLog log_;
  std::string buffer_;
};

}  // namespace bulkhead::tool
