#include "os/frame_names.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace bulkhead::os {

namespace {

struct Function {
  std::uint64_t begin = 0, size = 0;
  std::string name;
};
using Functions = std::vector<Function>;  // by address

// Reads `count` things at `offset`; nothing where the file does not hold them.
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

// The functions of an ELF file's symbol table, static ones included.
Functions functions_of(const std::string& path) {
  Functions functions;
  std::ifstream file(path, std::ios::binary);
  const auto header = read_table<ElfW(Ehdr)>(file, 0, 1);
  if (header.empty() || !std::equal(header[0].e_ident, header[0].e_ident + SELFMAG, ELFMAG)) return functions;
  const auto sections = read_table<ElfW(Shdr)>(file, header[0].e_shoff, header[0].e_shnum);
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

const Functions& known_functions_of(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, Functions> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(path);
  return found != known.end() ? found->second : known.emplace(path, functions_of(path)).first->second;
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

std::string name_of(std::uint64_t address) {
  Dl_info info{};
  link_map* object = nullptr;
  if (::dladdr1(reinterpret_cast<void*>(address), &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) == 0)
    return with_offset("", address).substr(1);
  const std::string path = object->l_name[0] != '\0' ? object->l_name : "/proc/self/exe";
  const std::uint64_t in_file = address - object->l_addr;
  const Functions& functions = known_functions_of(path);
  auto after = std::upper_bound(functions.begin(), functions.end(), in_file,
                                [](std::uint64_t value, const Function& f) { return value < f.begin; });
  if (after != functions.begin() && in_file - std::prev(after)->begin < std::prev(after)->size)
    return with_offset(without_parameters(demangled(std::prev(after)->name.c_str())),
                       in_file - std::prev(after)->begin);
  if (info.dli_sname)
    return with_offset(without_parameters(demangled(info.dli_sname)),
                       address - reinterpret_cast<std::uint64_t>(info.dli_saddr));
  const std::string file = info.dli_fname ? info.dli_fname : path;
  return with_offset(file.substr(file.rfind('/') + 1), in_file);
}

}  // namespace

std::string frame_name(std::uint64_t address) noexcept {
  try {
    return name_of(address);
  } catch (...) {  // out of memory: a backtrace is not worth the run
    return {};
  }
}

}  // namespace bulkhead::os
