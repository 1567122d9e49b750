#include "runs/call_program.hpp"

#include "words/usage_error.hpp"

#include <bulkhead/command.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace bulkhead::tool {

void become_call_program(const std::vector<std::string>& places, const std::vector<std::string>& words) {
  namespace fs = std::filesystem;
  std::error_code unknown, ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", unknown);
  std::string tried;
  for (const fs::path place : places) {
    if (unknown && place.is_relative()) continue;
    const std::string path = (self.parent_path() / place).lexically_normal().string();
    if (fs::exists(path, ignored)) {
      std::vector<std::string> program{path};
      program.insert(program.end(), words.begin(), words.end());
      become_program(program, {});
    }
    tried += (tried.empty() ? "" : ", nor ") + path;
  }
  throw UsageError(fmt::format("call: bulkhead-call is not {}{}; install Bulkhead whole", tried,
                               unknown ? " (and there is no /proc to tell where this program is)" : ""));
}

}  // namespace bulkhead::tool
