// The sources keep to their floors; and the checker that says so can say the opposite.
#include "floors.hpp"

#include "built_paths.hpp"
#include "catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

static floors::Sources read_sources() {
  const std::filesystem::path root = BULKHEAD_SOURCE_DIR;
  floors::Sources sources;
  for (const char* folder : {"include/bulkhead", "src", "tools/bulkhead", "tools/examples"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::filesystem::path& path = entry.path();
      if (path.extension() != ".cpp" && path.extension() != ".hpp") continue;
      std::ifstream in(path, std::ios::binary);
      sources[path.lexically_relative(root).generic_string()] = {std::istreambuf_iterator<char>(in), {}};
    }
  }
  return sources;
}

TEST_CASE("every source keeps to its floor", "[floors]") {
  const floors::Sources sources = read_sources();
  REQUIRE(sources.size() > 50);  // the right directory
  for (const std::string& breach : floors::breaches(sources, floors::rules())) FAIL_CHECK(breach);
}

TEST_CASE("what leans upwards or sideways is named with file and line", "[floors]") {
  const std::vector<std::pair<floors::Sources, std::string>> cases{
      {{{"src/outcome.cpp", "#include <string>\n#include <unistd.h>\n"}},
       "src/outcome.cpp:2: src must not include unistd.h (system)"},
      {{{"src/process/a.cpp", "#  include <sys/wait.h>"}},
       "src/process/a.cpp:1: src/process must not include sys/wait.h"},
      {{{"src/os/fd.cpp", "#include <boost/crc.hpp>"}},
       "src/os/fd.cpp:1: src/os must not include boost/crc.hpp (boost)"},
      {{{"src/os/fd.cpp", "#include \"ipc/lane.hpp\""}, {"src/ipc/lane.hpp", ""}},
       "src/os/fd.cpp:1: src/os must not include ipc/lane.hpp (src/ipc)"},
      {{{"src/books.cpp", "#include \"process/a.hpp\""}, {"src/process/a.hpp", ""}},
       "src/books.cpp:1: src must not include process/a.hpp (src/process)"},
      {{{"src/os/fd.cpp", "#include <bulkhead/codec.hpp>"},
        {"include/bulkhead/codec.hpp", "#include <cereal/cereal.hpp>"}},
       "src/os/fd.cpp:1: src/os must not include bulkhead/codec.hpp (public)"},
      {{{"include/bulkhead/work.hpp", "#include <cereal/cereal.hpp>"}},
       "include/bulkhead/work.hpp:1: include/bulkhead must not include cereal/cereal.hpp (cereal)"},
      {{{"include/bulkhead/logging.hpp", "#include <spdlog/spdlog.h>"}}, "include/bulkhead/logging.hpp:1: "},
      {{{"tools/bulkhead/main.cpp", "#include <bulkhead/detail/x.hpp>"}, {"include/bulkhead/detail/x.hpp", ""}},
       "tools/bulkhead/main.cpp:1: tools/bulkhead must not include bulkhead/detail/x.hpp"},
      {{{"tools/bulkhead/main.cpp", "#include \"os/fd.hpp\""}, {"src/os/fd.hpp", ""}},
       "tools/bulkhead/main.cpp:1: tools/bulkhead must not include os/fd.hpp (src/os)"},
      {{{"src/a.cpp", "int x;\ny.load(std::memory_order_acquire);"}}, "src/a.cpp:2: memory_order belongs in src/ipc"},
      {{{"tools/bulkhead/main.cpp", "int main() { std::cerr << 1; }"}},
       "tools/bulkhead/main.cpp:1: std::cerr belongs in src/os"},
      {{{"src/string_util.cpp", ""}}, "src/string_util.cpp:1: \"util\" does not say"},
      {{{"src/net/a.cpp", ""}}, "src/net/a.cpp:1: src/net is no floor"},
      {{{"src/a.hpp", "\n#include \"b.hpp\""}, {"src/b.hpp", "#include \"a.hpp\""}},
       "src/b.hpp:1: includes itself: src/a.hpp -> src/b.hpp -> src/a.hpp"},
  };
  for (const auto& [sources, expected] : cases) {
    INFO(expected);
    const std::vector<std::string> found = floors::breaches(sources, floors::rules());
    REQUIRE(found.size() == 1);
    CHECK(found.front().rfind(expected, 0) == 0);
  }
}

TEST_CASE("what leans downwards is no breach", "[floors]") {
  const floors::Sources sources{
      {"include/bulkhead/outcome.hpp", "#include <string>"},
      {"include/bulkhead/codec.hpp", "#include <cereal/cereal.hpp>\n#include <bulkhead/outcome.hpp>"},
      {"src/os/fd.hpp", ""},
      {"src/os/fd.cpp", "#include \"os/fd.hpp\"\n#include <fcntl.h>\n#include <bulkhead/outcome.hpp>"},
      {"src/ipc/lane.hpp", "#include \"os/fd.hpp\"\n#include <boost/crc.hpp>\nstd::memory_order_acquire;"},
      {"src/books.hpp", "#include \"ipc/lane.hpp\"  // memory_order is its own matter"},
      {"src/process/coordinator.cpp", "#include \"books.hpp\"\n#include <bulkhead/codec.hpp>"},
      {"tools/bulkhead/command_line/usage.cpp", "#include <bulkhead/codec.hpp>\n#include <CLI/CLI.hpp>"},
  };
  CHECK(floors::breaches(sources, floors::rules()).empty());
}
