#include "os/loaded_file.hpp"

#include "os/elf_table.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace bulkhead::os {

namespace {

using Header = ElfW(Phdr);

std::vector<Header> headers_of_file(std::ifstream& file) {
  const auto header = read_elf_header(file);
  if (!header || header->e_phentsize != sizeof(Header)) return {};
  return read_table<Header>(file, header->e_phoff, header->e_phnum);
}

struct Search {
  std::uint64_t base;
  const std::string& path;
  std::vector<Header> found;
};

// The program itself has no name here.
std::string path_of(const dl_phdr_info& module) { return module.dlpi_name[0] != '\0' ? module.dlpi_name : own_program; }

int note_headers(dl_phdr_info* module, std::size_t, void* argument) {
  Search& search = *static_cast<Search*>(argument);
  // Two modules that are not to be moved may have the same base.
  if (module->dlpi_addr != search.base || path_of(*module) != search.path) return 0;
  search.found.assign(module->dlpi_phdr, module->dlpi_phdr + module->dlpi_phnum);
  return 1;
}

bool is_loaded(const std::vector<Header>& headers, const Header& part) {
  return std::any_of(headers.begin(), headers.end(), [&](const Header& load) {
    return load.p_type == PT_LOAD && (load.p_flags & PF_R) != 0 && part.p_vaddr >= load.p_vaddr &&
           part.p_vaddr - load.p_vaddr <= load.p_filesz &&
           part.p_filesz <= load.p_filesz - (part.p_vaddr - load.p_vaddr);
  });
}

struct SearchByAddress {
  std::uint64_t address;
  std::optional<LoadedFile> found{};
};

int note_if_it_holds(dl_phdr_info* module, std::size_t, void* argument) {
  SearchByAddress& search = *static_cast<SearchByAddress*>(argument);
  const std::uint64_t in_file = search.address - module->dlpi_addr;
  const bool holds = std::any_of(module->dlpi_phdr, module->dlpi_phdr + module->dlpi_phnum, [&](const auto& part) {
    return part.p_type == PT_LOAD && in_file - part.p_vaddr < part.p_memsz;
  });
  if (holds) search.found = {path_of(*module), module->dlpi_addr};
  return holds ? 1 : 0;
}

}  // namespace

std::optional<LoadedFile> loaded_file_at(std::uint64_t address) {
  SearchByAddress search{address};
  ::dl_iterate_phdr(note_if_it_holds, &search);
  return search.found;
}

bool is_file_as_loaded(const std::string& path, std::uint64_t base) {
  Search search{base, path, {}};
  ::dl_iterate_phdr(note_headers, &search);
  std::ifstream file(path, std::ios::binary);
  const auto headers = headers_of_file(file);
  if (headers.empty() || headers.size() != search.found.size()) return false;
  if (std::memcmp(headers.data(), search.found.data(), headers.size() * sizeof(Header)) != 0) return false;
  return std::all_of(headers.begin(), headers.end(), [&](const Header& part) {
    if (part.p_type != PT_NOTE || part.p_filesz == 0 || !is_loaded(headers, part)) return true;
    const auto notes = read_table<char>(file, part.p_offset, part.p_filesz);
    return !notes.empty() &&
           std::memcmp(notes.data(), reinterpret_cast<const char*>(base + part.p_vaddr), notes.size()) == 0;
  });
}

}  // namespace bulkhead::os
