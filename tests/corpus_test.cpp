// Every file of the fuzzers' corpus once more, in an ordinary build: what was found stays found.
#include "built_paths.hpp"
#include "catch.hpp"
#include "fuzz/codec_harness.hpp"
#include "fuzz/frame_harness.hpp"
#include "left_behind.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

template <class Drive>
void replay(const std::string& name, Drive drive) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BULKHEAD_SOURCE_DIR "/tests/fuzz/corpus/" + name)) {
    INFO(entry.path().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
    REQUIRE_NOTHROW(drive(std::span(reinterpret_cast<const std::uint8_t*>(content.data()), content.size())));
    ++files;
  }
  CHECK(files >= 10);
}

}  // namespace

TEST_CASE("the inbox keeps its promises on the corpus", "[fuzz]") {
  const NothingLeftBehind check;
  replay("frame", [](auto bytes) { fuzz::read_frames(bytes); });
}

TEST_CASE("the codec keeps its promises on the corpus", "[fuzz]") {
  replay("codec", [](auto bytes) { fuzz::read_values(bytes); });
}
