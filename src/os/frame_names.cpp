#include "os/frame_names.hpp"

#include "os/elf_table.hpp"
#include "os/loaded_file.hpp"
#include "os/source_lines.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bulkhead::os {

namespace {

struct Function {
  std::uint64_t begin = 0, size = 0;
  std::string name;
};
using Functions = std::vector<Function>;  // by address

// The functions of an ELF file's symbol table, static ones included.
Functions functions_of(const std::string& path) {
  Functions functions;
  std::ifstream file(path, std::ios::binary);
  const auto header = read_elf_header(file);
  if (!header) return functions;
  const auto sections = read_table<ElfW(Shdr)>(file, header->e_shoff, header->e_shnum);
  for (const ElfW(Shdr) & section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const ElfW(Shdr)& texts = sections[section.sh_link];
    const auto symbols = read_table<ElfW(Sym)>(file, section.sh_offset, section.sh_size / sizeof(ElfW(Sym)));
    auto names = read_table<char>(file, texts.sh_offset, texts.sh_size);
    names.push_back('\0');
    for (const ElfW(Sym) & symbol : symbols)
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size != 0 && symbol.st_name < names.size())
        functions.push_back({symbol.st_value, symbol.st_size, names.data() + symbol.st_name});
  }
  std::sort(functions.begin(), functions.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return functions;
}

struct Module {
  Functions functions;
  SourceLines lines;
};

// Of a file that is no longer what was loaded nothing is believed.
Module& known_module(const std::string& path, std::uint64_t base) {
  static auto& known =
      *new std::map<std::pair<std::string, std::uint64_t>, Module>;  // for good: also crashes at exit have names
  const auto [module, fresh] = known.try_emplace({path, base});
  if (fresh && is_file_as_loaded(path, base)) module->second = {functions_of(path), SourceLines(path)};
  return module->second;
}

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                        std::free);
  return status == 0 ? readable.get() : name;
}

// Without its parameters: "a::b(int) const [clone .cold]" is a::b to a reader of a stack.
std::string without_parameters(std::string name) {
  name.resize(std::min(name.size(), name.find(" [clone")));
  const std::size_t close = name.rfind(')');
  if (close == std::string::npos) return name;
  std::size_t open = close;
  for (int depth = 1; depth != 0 && open != 0;) {
    --open;
    depth += name[open] == ')' ? 1 : name[open] == '(' ? -1 : 0;
  }
  if (open != 0) name.resize(open);
  return name;
}

std::string with_offset(std::string name, std::uint64_t offset) {
  char words[32];
  std::snprintf(words, sizeof words, "+0x%llx", static_cast<unsigned long long>(offset));
  return std::move(name) + words;
}

// A symbol of the file's own table, or the dynamic linker's, or the file alone.
std::string function_at(const Functions& functions, std::uint64_t in_file, std::uint64_t address, const Dl_info& info) {
  auto after = std::upper_bound(functions.begin(), functions.end(), in_file,
                                [](std::uint64_t value, const Function& f) { return value < f.begin; });
  if (after != functions.begin() && in_file - std::prev(after)->begin < std::prev(after)->size)
    return with_offset(without_parameters(demangled(std::prev(after)->name.c_str())),
                       in_file - std::prev(after)->begin);
  if (info.dli_sname)
    return with_offset(without_parameters(demangled(info.dli_sname)),
                       address - reinterpret_cast<std::uint64_t>(info.dli_saddr));
  const std::string file = info.dli_fname;
  return with_offset(file.substr(file.rfind('/') + 1), in_file);
}

std::string name_of(std::uint64_t address) {
  Dl_info info{};
  link_map* object = nullptr;
  if (::dladdr1(reinterpret_cast<void*>(address), &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) == 0)
    return with_offset("", address).substr(1);
  const std::string path = object->l_name[0] != '\0' ? object->l_name : "/proc/self/exe";
  const std::uint64_t in_file = address - object->l_addr;
  Module& module = known_module(path, object->l_addr);
  const std::string function = function_at(module.functions, in_file, address, info);
  const std::string line = module.lines.at(in_file);
  return line.empty() ? function : function + " (" + line + ")";
}

}  // namespace

std::string frame_name(std::uint64_t address) noexcept {
  static std::mutex mutex;  // what was read of files is kept, for all threads
  try {
    const std::lock_guard lock(mutex);
    return name_of(address);
  } catch (...) {  // out of memory: a backtrace is not worth the run
    return {};
  }
}

}  // namespace bulkhead::os
