#include "logs/record_file.hpp"

#include "logs/written_files.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr std::size_t enough = 64 << 10;

}  // namespace

RecordFile::RecordFile(const std::string& option, const std::string& path) : log_(open_alone(option, path)) {
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

void RecordFile::finish() {
  flush();
  log_.check_in_place();
}

}  // namespace bulkhead::tool
