#include "logs/written_files.hpp"

#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

namespace fs = std::filesystem;

bool same_file(const std::string& source, const std::string& written) {
  std::error_code ignored;
  const fs::path read = source == "-" ? fs::path("/proc/self/fd/0") : fs::path(source);
  return fs::is_regular_file(written, ignored) && fs::equivalent(read, written, ignored);
}

}  // namespace

AppendLog open_alone(const std::string& option, const std::string& path) {
  try {
    return AppendLog(path);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) throw;
    throw UsageError(option + ": " + path +
                     " is being written already, by another run or another option; name another file");
  }
}

void refuse_to_write_what_is_read(const Settings& settings) {
  const std::array<std::pair<const char*, const std::string*>, 5> written{{{"--joblog", &settings.joblog},
                                                                           {"--quarantine", &settings.quarantine},
                                                                           {"--events", &settings.events},
                                                                           {"--trace", &settings.trace},
                                                                           {"--junit", &settings.junit}}};
  for (const auto& [option, path] : written)
    for (const SourceSpec& source : settings.sources)
      if (source.is_file && !path->empty() && same_file(source.file, *path))
        throw UsageError(
            fmt::format("{}: {} is what the records are read from, and would be written over; name "
                        "another file",
                        option, *path));
}

}  // namespace bulkhead::tool
