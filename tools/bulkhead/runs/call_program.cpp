#include "runs/call_program.hpp"

#include "words/usage_error.hpp"

#include <bulkhead/command.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace bulkhead::tool {

namespace {

namespace fs = std::filesystem;

fs::path own_folder() {
  constexpr const char* self = "/proc/self/exe";
  std::error_code error;
  const fs::path program = fs::read_symlink(self, error);
  if (error) throw UsageError(fmt::format("call: {}: {}; mount /proc", self, error.message()));
  return program.parent_path();
}

}  // namespace

void become_call_program(const std::string& place, const std::vector<std::string>& words) {
  const fs::path program = (own_folder() / place).lexically_normal();
  std::error_code ignored;
  if (!fs::exists(program, ignored))
    throw UsageError(fmt::format("call: {} is not there, which it takes to call a plugin; install Bulkhead whole",
                                 program.string()));
  std::vector<std::string> all{program.string()};
  all.insert(all.end(), words.begin(), words.end());
  become_program(all, {});
}

}  // namespace bulkhead::tool
