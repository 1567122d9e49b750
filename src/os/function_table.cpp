#include "os/function_table.hpp"

#include "os/elf_table.hpp"

#include <algorithm>
#include <iterator>

namespace bulkhead::os {

FunctionTable::FunctionTable(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const auto header = read_elf_header(file);
  if (!header) return;
  const auto sections = read_table<ElfW(Shdr)>(file, header->e_shoff, header->e_shnum);
  for (const ElfW(Shdr) & section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const ElfW(Shdr)& texts = sections[section.sh_link];
    const auto symbols = read_table<ElfW(Sym)>(file, section.sh_offset, section.sh_size / sizeof(ElfW(Sym)));
    auto names = read_table<char>(file, texts.sh_offset, texts.sh_size);
    names.push_back('\0');
    for (const ElfW(Sym) & symbol : symbols)
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size != 0 && symbol.st_name < names.size())
        functions_.push_back({symbol.st_value, symbol.st_size, names.data() + symbol.st_name});
  }
  std::sort(functions_.begin(), functions_.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
}

const FunctionTable::Function* FunctionTable::at(std::uint64_t address) const noexcept {
  const auto after = std::upper_bound(functions_.begin(), functions_.end(), address,
                                      [](std::uint64_t value, const Function& f) { return value < f.begin; });
  if (after == functions_.begin()) return nullptr;
  const Function& before = *std::prev(after);
  return address - before.begin < before.size ? &before : nullptr;
}

}  // namespace bulkhead::os
