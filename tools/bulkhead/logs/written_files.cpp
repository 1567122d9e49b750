#include "logs/written_files.hpp"

#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
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
  constexpr std::chrono::milliseconds pause{20};
  constexpr std::chrono::seconds longest{2};  // no process of a killed run lives longer
  const auto give_up = std::chrono::steady_clock::now() + longest;
  for (;;) {
    try {
      return AppendLog(path);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::resource_unavailable_try_again) throw;
    }
    if (std::chrono::steady_clock::now() >= give_up)
      throw UsageError(
          option + ": " + path +
          " is being written already, by another run or another option; wait for it, or name another file");
    std::this_thread::sleep_for(pause);
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
