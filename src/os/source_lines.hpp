// Source lines for addresses of code, where the file, or a debug file of its, has debug information.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct Elf;  // libdw's
struct Dwarf;

namespace bulkhead::os {

/// Of one ELF file. Nothing where there is no such information, no such file, or Bulkhead was built without libdw.
/// Keeps the file mapped, and no descriptor. Not for use by several threads at once.
class SourceLines {
 public:
  SourceLines() noexcept = default;  // of no file: nothing
  explicit SourceLines(const std::string& path);

  /// "elf_symbols.cpp:88" for the code at `address`, as the file counts addresses.
  std::string at(std::uint64_t address);

 private:
  struct Close {
    void operator()(Elf* elf) const noexcept;
    void operator()(Dwarf* dwarf) const noexcept;
  };
  using ElfFile = std::unique_ptr<Elf, Close>;

  static ElfFile open_elf(const std::string& path);

  ElfFile elf_;
  std::unique_ptr<Dwarf, Close> dwarf_;  // null: it has none
};

}  // namespace bulkhead::os
