#include "runs/call_program.hpp"

#include "words/usage_error.hpp"

#include <bulkhead/command.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace bulkhead::tool {

namespace {

namespace fs = std::filesystem;

// Empty where there is no /proc.
fs::path beside_this_program() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : self.parent_path().parent_path() / "libexec/bulkhead/bulkhead-call";
}

}  // namespace

void become_call_program(const std::string& installed, const std::vector<std::string>& words) {
  const fs::path beside = beside_this_program();
  std::error_code ignored;
  const fs::path place = fs::exists(beside, ignored) ? beside : fs::path(installed);
  if (!fs::exists(place, ignored))
    throw UsageError(fmt::format("call: bulkhead-call is neither {} nor {}; install Bulkhead whole",
                                 beside.empty() ? "beside this program (there is no /proc)" : beside.string(),
                                 installed));
  std::vector<std::string> program{place.string()};
  program.insert(program.end(), words.begin(), words.end());
  become_program(program, {});
}

}  // namespace bulkhead::tool
