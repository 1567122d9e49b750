// What elf_symbols works on: the ELF files of this machine, and damaged copies of some of them.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace elf_files {

inline std::vector<char> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<char> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline bool is_elf64(const std::filesystem::path& path) {
  constexpr std::string_view magic = "\177ELF\2\1";  // 64 bits, little-endian
  char start[magic.size()] = {};
  std::ifstream(path, std::ios::binary).read(start, sizeof start);
  return std::string_view(start, sizeof start) == magic;
}

/// Every 64-bit ELF file below the directories that may be read, in the order of their names; links are not followed.
inline std::vector<std::string> find(const std::vector<std::string>& directories) {
  namespace fs = std::filesystem;
  constexpr std::uintmax_t largest = 64u << 20;  // files are read whole
  std::vector<std::string> found;
  for (const std::string& directory : directories) {
    std::error_code ignored;  // what cannot be entered is left out
    fs::recursive_directory_iterator entry(directory, fs::directory_options::skip_permission_denied, ignored), end;
    for (; entry != end; entry.increment(ignored)) {
      if (entry->is_symlink(ignored) || !entry->is_regular_file(ignored)) continue;
      const std::uintmax_t size = entry->file_size(ignored);
      if (size >= 64 && size <= largest && is_elf64(entry->path())) found.push_back(entry->path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Copies in a temporary directory that goes with this object. The damage is the same in every run over the same files.
class DamagedCopies {
 public:
  DamagedCopies(const std::vector<std::string>& originals, std::size_t count) {
    std::string name = (std::filesystem::temp_directory_path() / "elf_symbols-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
    directory_ = name;
    try {
      std::mt19937_64 random(1912);
      for (std::size_t i = 0; i < count && !originals.empty(); ++i) {
        paths_.push_back((directory_ / std::to_string(i)).string());
        write(paths_.back(), damage(read(originals[random() % originals.size()]), random));
      }
    } catch (...) {
      remove();
      throw;
    }
  }
  DamagedCopies(const DamagedCopies&) = delete;
  DamagedCopies& operator=(const DamagedCopies&) = delete;
  ~DamagedCopies() { remove(); }

  const std::vector<std::string>& paths() const { return paths_; }

 private:
  // Half of them are cut off, as by a full disk; the others have sixteen bytes of their header overwritten.
  static std::vector<char> damage(std::vector<char> bytes, std::mt19937_64& random) {
    constexpr std::size_t header = 64, kept = 16, burst = 16, longest = 1u << 20;
    if (random() % 2 == 0) {
      bytes.resize(header + random() % std::min(longest, bytes.size() - header + 1));
    } else {
      const std::size_t from = kept + random() % (header - kept - burst);
      for (std::size_t i = 0; i < burst; ++i) bytes[from + i] = static_cast<char>(random());
    }
    return bytes;
  }
  static void write(const std::string& path, const std::vector<char>& bytes) {
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) throw std::runtime_error("cannot write " + path);
  }
  void remove() noexcept {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::filesystem::path directory_;
  std::vector<std::string> paths_;
};

}  // namespace elf_files
