// Writes the seeds of the corpus: real encodings of values, and scripts of a worker's ordinary life.
//   fuzz_seeds FOLDER     makes FOLDER/frame/* and FOLDER/codec/*
#include "fuzz/codec_harness.hpp"
#include "ipc/frame.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace {

using Bytes = std::string;

void save(const std::filesystem::path& folder, std::string_view name, const Bytes& bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << bytes;
}

template <std::size_t Index>
void save_value(const std::filesystem::path& folder, const std::tuple_element_t<Index, fuzz::Types>& value) {
  const auto encoding = fuzz::encoded(value);
  const Bytes words(reinterpret_cast<const char*>(encoding.data()), encoding.size());
  save(folder, "type-" + std::to_string(Index), Bytes(1, static_cast<char>(Index)) + words);
}

void save_values(const std::filesystem::path& folder) {
  const fuzz::Tree tree{1, {{2, {}}, {3, {{4, {}}}}}};
  save_value<0>(folder, {{"one", ""}, {}, {"three"}});
  save_value<1>(folder, {{"a", 1}, {"b", std::nullopt}});
  save_value<2>(folder, {true, 'c', 0.5, "words"});
  save_value<3>(folder, "text");
  save_value<4>(folder, {{fuzz::Colour::green, "leaf", 1.5, {true, false, true}}, {}});
  save_value<5>(folder, tree);
  save_value<6>(folder, {true, false, true});
  save_value<7>(folder, {{1, 2}, {}, {3}});
  save_value<8>(folder, {{1, "x"}, {2, "y"}});
  save_value<9>(folder, {{7, {1.f, 2.f}}});
  save_value<10>(folder, std::vector<std::monostate>(3));
  save_value<11>(folder, {{1, tree}, {2, {}}});
  save_value<12>(folder, {"here", std::nullopt});
  save_value<13>(folder, true);
  save_value<14>(folder, -1);
  save_value<15>(folder, {{{{U"deep"}}}, {}});
  Bytes deep(1, 5);  // trees in trees, deeper than is allowed
  for (int i = 0; i < 300; ++i) deep += Bytes("\0\0\1\0\0\0\0\0\0\0", 10);
  save(folder, "deep-tree", deep);
}

// The steps of a script, as frame_harness.hpp reads them.
const Bytes life("\1", 1), pull_pipe("\4", 1), pull_ring("\5", 1), write_all("\3\xff\xff", 3);
Bytes frame(char kind, int size_low, int size_high) {
  return {1, static_cast<char>(kind - 1), static_cast<char>(size_low), static_cast<char>(size_high), 'f'};
}

void save_lives(const std::filesystem::path& folder) {
  const Bytes small = frame(1, 12, 0), straight = frame(1, 0, 0xf8), filler = frame(6, 0, 0xf0);
  save(folder, "by-the-pipe", life + frame(7, 0, 0) + small + frame(4, 16, 0) + small + write_all + pull_pipe);
  const Bytes eight = frame(10, 8, 0), nine = frame(10, 9, 0);  // values of a run
  save(folder, "run-by-the-pipe", life + eight + eight + nine + write_all + pull_pipe + nine + small);
  save(folder, "run-seen-growing",
       life + eight + eight + pull_ring + eight + pull_ring + pull_ring + eight + small + write_all + pull_pipe + nine);
  save(folder, "by-the-ring", life + small + small + pull_ring + write_all + pull_pipe + small);
  save(folder, "in-pieces", life + small + small + Bytes("\3\x14\0", 3) + pull_pipe + Bytes("\3\x09\0", 3) + pull_pipe);
  save(folder, "ring-overtakes", life + small + Bytes("\3\x08\0", 3) + pull_ring + small + write_all + pull_pipe);
  save(folder, "straight",
       life + straight + write_all + pull_pipe + write_all + pull_pipe + write_all + pull_pipe + write_all + pull_pipe +
           write_all + pull_pipe + small + pull_ring);
  save(folder, "dies-in-the-middle", life + small + write_all + straight + write_all + pull_pipe);
  Bytes laps = life;
  for (int i = 0; i < 24; ++i) laps += filler + small + (i % 2 ? pull_ring : write_all + pull_pipe);
  save(folder, "laps", laps);
  save(folder, "garbage", life + small + Bytes("\0\x08garbage!", 10) + write_all + pull_pipe + pull_ring);
  save(folder, "scribbled", life + small + Bytes("\6\x08\4\0\0\x04\1\2\3\4", 10) + pull_ring);
  save(folder, "lies", life + small + Bytes("\7\0\x08\0\0\0", 6) + pull_ring + Bytes("\7\1", 2) + Bytes(8, '\x7f'));
  bulkhead::Failure failure;
  failure.ending = bulkhead::Ending::exception;
  failure.type = "std::runtime_error";
  failure.what = "no such row";
  save(folder, "failure", Bytes(1, '\0') + bulkhead::ipc::encode_failure(failure));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_seeds FOLDER\n", stderr);
    return 2;
  }
  save_values(std::filesystem::path(argv[1]) / "codec");
  save_lives(std::filesystem::path(argv[1]) / "frame");
}
