// A batch tool out of one function, with the whole command line of `bulkhead call`:
//
//     find . -type f | ./checksum_batch -j4 --joblog sums.tsv --retries 1
#include <bulkhead/batch.hpp>

#include <array>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {

// FNV-1a, 64 bits, of the file's bytes.
std::string checksum(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::uint64_t sum = 14695981039346656037u;
  std::array<char, 64 << 10> chunk;
  while (file.read(chunk.data(), chunk.size()), file.gcount() > 0)
    for (std::streamsize i = 0; i < file.gcount(); ++i)
      sum = (sum ^ static_cast<unsigned char>(chunk[static_cast<std::size_t>(i)])) * 1099511628211u;
  return std::to_string(sum) + "  " + path;
}

}  // namespace

int main(int argc, char** argv) { return bulkhead::batch_main(argc, argv, checksum); }
