#include "os/source_lines.hpp"

#if BULKHEAD_WITH_LIBDW

#include "os/fd.hpp"

#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>

#include <cstdio>
#include <string_view>

namespace bulkhead::os {

namespace {

// Loaded with the first crash that is named. A program that never sees one does without its mappings, which made every
// fork 60 us longer, and a program linked to Bulkhead need not have it at all.
class Libdw {
 private:
  struct Symbol {
    void* address;
    template <class Function>
    operator Function*() const noexcept {
      return reinterpret_cast<Function*>(address);
    }
  };

  static void* load() noexcept {
    // LeakSanitizer crashes at exit over thread-local storage of libraries loaded late, and libdw has such: where it is
    // present, libdw serves only if the program is linked to it.
    const bool leaks_are_sought = ::dlsym(RTLD_DEFAULT, "__lsan_do_leak_check") != nullptr;
    return ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL | (leaks_are_sought ? RTLD_NOLOAD : 0));
  }
  Symbol symbol(const char* name) noexcept {
    void* const address = library_ != nullptr ? ::dlsym(library_, name) : nullptr;
    complete_ = complete_ && address != nullptr;
    return {address};
  }

  void* library_ = load();
  bool complete_ = library_ != nullptr;

 public:
  decltype(&::elf_version) version = symbol("elf_version");
  decltype(&::elf_begin) open_elf = symbol("elf_begin");
  decltype(&::elf_end) close_elf = symbol("elf_end");
  decltype(&::elf_cntl) control = symbol("elf_cntl");
  decltype(&::dwelf_elf_gnu_build_id) build_id = symbol("dwelf_elf_gnu_build_id");
  decltype(&::dwarf_begin_elf) open_dwarf = symbol("dwarf_begin_elf");
  decltype(&::dwarf_end) close_dwarf = symbol("dwarf_end");
  decltype(&::dwarf_addrdie) unit_at = symbol("dwarf_addrdie");
  decltype(&::dwarf_get_units) next_unit = symbol("dwarf_get_units");
  decltype(&::dwarf_haspc) covers = symbol("dwarf_haspc");
  decltype(&::dwarf_getsrc_die) line_at = symbol("dwarf_getsrc_die");
  decltype(&::dwarf_linesrc) file_of = symbol("dwarf_linesrc");
  decltype(&::dwarf_lineno) number_of = symbol("dwarf_lineno");

  bool complete() const noexcept { return complete_; }
};

const Libdw& libdw() {
  static const Libdw library;
  return library;
}

bool is_usable() {
  static const bool usable = libdw().complete() && libdw().version(EV_CURRENT) != EV_NONE;
  return usable;
}

// Where distributions put what they stripped off.
std::string debug_file_of(Elf* elf) {
  const void* bytes = nullptr;
  const ssize_t size = libdw().build_id(elf, &bytes);
  if (size < 2) return {};
  std::string path = "/usr/lib/debug/.build-id/";
  for (ssize_t i = 0; i < size; ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, i == 1 ? "/%02x" : "%02x", static_cast<const unsigned char*>(bytes)[i]);
    path += digits;
  }
  return path + ".debug";
}

// By the table of address ranges where there is one; clang writes none.
bool find_unit(Dwarf* dwarf, Dwarf_Addr address, Dwarf_Die& unit) {
  if (libdw().unit_at(dwarf, address, &unit) != nullptr) return true;
  for (Dwarf_CU* at = nullptr; libdw().next_unit(dwarf, at, &at, nullptr, nullptr, &unit, nullptr) == 0;)
    if (libdw().covers(&unit, address) > 0) return true;
  return false;
}

std::string line_in(Dwarf* dwarf, Dwarf_Addr address) {
  Dwarf_Die unit;
  if (!find_unit(dwarf, address, unit)) return {};
  Dwarf_Line* const line = libdw().line_at(&unit, address);
  int number = 0;
  if (line == nullptr || libdw().number_of(line, &number) != 0 || number == 0) return {};
  const char* const source = libdw().file_of(line, nullptr, nullptr);
  if (source == nullptr) return {};
  const std::string_view file(source);
  return std::string(file.substr(file.rfind('/') + 1)) + ':' + std::to_string(number);
}

}  // namespace

void SourceLines::Close::operator()(Elf* elf) const noexcept { libdw().close_elf(elf); }
void SourceLines::Close::operator()(Dwarf* dwarf) const noexcept { libdw().close_dwarf(dwarf); }

SourceLines::ElfFile SourceLines::open_elf(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return nullptr;
  ElfFile elf(libdw().open_elf(file.get(), ELF_C_READ_MMAP, nullptr));
  if (elf) {  // it maps the file: the descriptor may go
    libdw().control(elf.get(), ELF_C_FDREAD);
    libdw().control(elf.get(), ELF_C_FDDONE);
  }
  return elf;
}

SourceLines::SourceLines(const std::string& path) {
  if (!is_usable()) return;
  elf_ = open_elf(path);
  if (elf_) dwarf_.reset(libdw().open_dwarf(elf_.get(), DWARF_C_READ, nullptr));
  if (!elf_ || dwarf_) return;
  elf_ = open_elf(debug_file_of(elf_.get()));
  if (elf_) dwarf_.reset(libdw().open_dwarf(elf_.get(), DWARF_C_READ, nullptr));
}

std::string SourceLines::at(std::uint64_t address) { return dwarf_ ? line_in(dwarf_.get(), address) : std::string(); }

}  // namespace bulkhead::os

#else

namespace bulkhead::os {

void SourceLines::Close::operator()(Elf*) const noexcept {}
void SourceLines::Close::operator()(Dwarf*) const noexcept {}
SourceLines::SourceLines(const std::string&) {}
std::string SourceLines::at(std::uint64_t) { return {}; }

}  // namespace bulkhead::os

#endif
