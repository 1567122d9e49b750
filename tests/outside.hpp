// The built program as its users meet it: words in; status, streams and files out.
#pragma once

#include "built_paths.hpp"
#include "catch.hpp"
#include "output_text.hpp"

#include <bulkhead/command.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace outside {

using Words = std::vector<std::string>;

struct Result {
  int status = -1;
  std::string output, error;
  std::chrono::nanoseconds ran{};
};

/// A program that takes longer than two minutes has failed the test. Where leaks are looked for at a program's end,
/// which takes as long as all that it did before, the first one that a test starts looks for them, and no other.
inline Result execute(bulkhead::Command command) {
  bulkhead::TaskOutput output, error;
  command.timeout = std::chrono::minutes(2);
  command.output = &output;
  command.error = &error;
  const bulkhead::CommandResult result = bulkhead::run_command(command);
  REQUIRE_FALSE(result.timed_out);
#if defined(__SANITIZE_ADDRESS__)
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
#endif
  return {result.exit_code.value_or(-1), text_of(output, result.output), text_of(error, result.error),
          std::chrono::nanoseconds(result.ran_ns)};
}

inline Result invoke(Words words) {
  words.insert(words.begin(), BULKHEAD_TOOL);
  return execute({.arguments = std::move(words)});
}
inline Result run(Words words) {
  words.insert(words.begin(), "run");
  return invoke(std::move(words));
}

/// For what needs a pipe or a signal around the tool: $0 is the tool, $1 and on are `words`.
inline Result sh(const std::string& script, Words words = {}) {
  words.insert(words.begin(), {"sh", "-c", script, BULKHEAD_TOOL});
  return execute({.arguments = std::move(words)});
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A directory of the test's own, gone with it.
class Directory {
 public:
  Directory() { std::filesystem::create_directory(path_); }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  std::string read(const std::string& name) const { return read_file(path_ / name); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() /
      ("bulkhead-test-" + std::to_string(std::random_device()()) + "-" + std::to_string(std::random_device()()));
};

/// One in which a script works: $0 is the tool, $1 the directory.
struct Place : Directory {
  Result run(const std::string& script) const { return sh(script, {path()}); }
};

}  // namespace outside
