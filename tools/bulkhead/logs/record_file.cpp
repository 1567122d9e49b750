#include "logs/record_file.hpp"

#include "words/usage_error.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr std::size_t enough = 64 << 10;

AppendLog open_log(const std::string& option, const std::string& path) {
  try {
    return AppendLog(path);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) throw;
    throw UsageError(option + ": " + path +
                     " is being written already, by another run or another option; name another file");
  }
}

}  // namespace

RecordFile::RecordFile(const std::string& option, const std::string& path) : log_(open_log(option, path)) {
  // Only now that it is locked: what another run is writing must not be cut.
  if (!std::ofstream(path, std::ios::trunc)) throw std::system_error(errno, std::generic_category(), path);
}

void RecordFile::put(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= enough) flush();
}

void RecordFile::flush() {
  if (buffer_.empty()) return;
  const std::string text = std::exchange(buffer_, {});
  log_.append(text);
}

}  // namespace bulkhead::tool
