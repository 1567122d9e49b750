// Reading tables of an ELF file without trusting what it says of itself.
#pragma once

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <vector>

namespace bulkhead::os {

/// Reads `count` things at `offset`; nothing where the file does not hold them.
template <class T>
std::vector<T> read_table(std::ifstream& file, std::uint64_t offset, std::uint64_t count) {
  constexpr std::uint64_t most = 64u << 20;  // a table larger than this is no table
  std::vector<T> table;
  if (count == 0 || count > most / sizeof(T)) return table;
  table.resize(count);
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(reinterpret_cast<char*>(table.data()), static_cast<std::streamsize>(count * sizeof(T)))) table.clear();
  return table;
}

/// Nothing where it is no ELF file.
inline std::optional<ElfW(Ehdr)> read_elf_header(std::ifstream& file) {
  const auto header = read_table<ElfW(Ehdr)>(file, 0, 1);
  if (header.empty() || !std::equal(header[0].e_ident, header[0].e_ident + SELFMAG, ELFMAG)) return std::nullopt;
  return header[0];
}

}  // namespace bulkhead::os
