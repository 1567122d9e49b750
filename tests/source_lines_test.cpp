// Source lines in backtraces. This file is compiled with debug information, whatever the rest of the build has.
#include <bulkhead/work.hpp>

#include "built_paths.hpp"
#include "catch.hpp"
#include "left_behind.hpp"
#include "os/frame_names.hpp"
#include "os/loaded_file.hpp"
#include "os/source_lines.hpp"

#include <dlfcn.h>
#include <link.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

constexpr bool has_lines = BULKHEAD_HAS_SOURCE_LINES;

[[gnu::noinline]] std::uint64_t called_from() {
  return reinterpret_cast<std::uint64_t>(__builtin_return_address(0)) - 1;
}

std::string at_line(int line) { return has_lines ? " (source_lines_test.cpp:" + std::to_string(line) + ")" : ""; }

std::string frame_name(std::uint64_t address) {
  const std::vector<std::string> names = os::frame_names(std::array{address});
  REQUIRE(names.size() == 1);
  return names.front();
}

constexpr int line_of_the_fault = __LINE__ + 1;
[[gnu::noinline]] int fetch(volatile int* pointer) { return *pointer; }

}  // namespace

TEST_CASE("a frame has its source line where there is debug information, and its name without", "[source_lines]") {
  const NothingLeftBehind check;
  const std::uint64_t address = called_from();
  const std::string line = at_line(__LINE__ - 1);
  for (int again = 0; again < 2; ++again) {
    const std::string name = frame_name(address);
    CHECK(name.find("+0x") != std::string::npos);
    CHECK(name.ends_with(line));
    CHECK((name.find(" (source_lines_test") != std::string::npos) == has_lines);
    os::close_debug_information();  // what was read of files is read again, or known
  }
  const std::string library = frame_name(reinterpret_cast<std::uint64_t>(&std::abort) + 1);
  CHECK(library.ends_with("abort+0x1"));  // to unpack its lines, where they are installed, takes too long
}

TEST_CASE("files that hold no lines are no trouble", "[source_lines]") {
  const NothingLeftBehind check;
  const auto cut = std::filesystem::temp_directory_path() / ("bulkhead-cut-" + std::to_string(called_from()));
  std::filesystem::copy_file("/proc/self/exe", cut);
  for (const std::size_t size : {100'000, 4'096, 64, 3, 0}) {
    std::filesystem::resize_file(cut, size);
    const auto copy = cut.string() + std::to_string(size);
    std::filesystem::copy_file(cut, copy);
    CHECK(os::SourceLines(copy).at(0x1000).empty());
    std::filesystem::remove(copy);
  }
  std::filesystem::remove(cut);
  for (const char* path : {"/nowhere/at-all", "/", "/dev/null", "", "linux-vdso.so.1"})
    CHECK(os::SourceLines(path).at(0x1000).empty());
  CHECK(os::SourceLines("/proc/self/exe").at(~std::uint64_t{0}).empty());
}

TEST_CASE("a library's file is believed only while it is the one that was loaded", "[source_lines]") {
  const NothingLeftBehind check;
  const auto folder = std::filesystem::temp_directory_path() / ("bulkhead-lines-" + std::to_string(called_from()));
  std::filesystem::create_directory(folder);
  const std::string library = (folder / "square.so").string();
  std::filesystem::copy_file(BULKHEAD_SQUARE_PLUGIN, library);
  void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(handle != nullptr);
  link_map* loaded = nullptr;
  REQUIRE(::dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&loaded)) == 0);
  CHECK(os::is_file_as_loaded(library, loaded->l_addr));
  CHECK_FALSE(os::is_file_as_loaded(library, loaded->l_addr + 4096));
  CHECK_FALSE(os::is_file_as_loaded("/proc/self/exe", loaded->l_addr));
  std::filesystem::remove(library);
  CHECK_FALSE(os::is_file_as_loaded(library, loaded->l_addr));
  std::filesystem::copy_file("/proc/self/exe", library);
  CHECK_FALSE(os::is_file_as_loaded(library, loaded->l_addr));
  CHECK_FALSE(frame_name(loaded->l_addr + 1).empty());
  ::dlclose(handle);
  std::filesystem::remove_all(folder);
}

#if !defined(__SANITIZE_ADDRESS__)

TEST_CASE("a crash names the line that it happened in, and its description stays short", "[source_lines]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(std::vector<int>{0, 1}, [](int n) {
    static volatile std::uintptr_t nowhere = 16;
    return n == 0 ? fetch(reinterpret_cast<volatile int*>(nowhere)) : n;
  });
  const Failure& failure = results[0].error();
  REQUIRE_FALSE(failure.backtrace.empty());
  CHECK(failure.backtrace.front().find("fetch+0x") != std::string::npos);
  CHECK(failure.backtrace.front().ends_with(at_line(line_of_the_fault)));
  CHECK(failure.describe().ends_with(failure.backtrace.front().substr(0, failure.backtrace.front().find(" ("))));
}

#endif
