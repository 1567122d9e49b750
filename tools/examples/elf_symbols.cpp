// Counts the symbols of every ELF file below some directories with a parser that trusts what it reads, as much code
// that handles files does. On a whole file it is right; on a damaged one it follows an offset into nowhere and dies.
// Damaged copies are mixed in: each may cost its own task, and nothing else.
//
// Usage: elf_symbols [DAMAGED [DIRECTORY...]]     default: 60 damaged copies, the system's own files
#include "elf_symbols_files.hpp"

#include <bulkhead/work.hpp>

#include <elf.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iterator>
#include <map>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct Symbols {
  std::uint64_t count = 0, name_bytes = 0;

  friend bool operator==(const Symbols&, const Symbols&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(count, name_bytes);
  }
};

// No offset is checked against the size of the file.
static Symbols count_symbols(const std::string& path) {
  const std::vector<char> file = elf_files::read(path);
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
  Symbols symbols;
  for (const Elf64_Shdr* s = sections; s != sections + header->e_shnum; ++s) {
    if (s->sh_type != SHT_SYMTAB && s->sh_type != SHT_DYNSYM) continue;
    const char* names = file.data() + sections[s->sh_link].sh_offset;
    const auto* table = reinterpret_cast<const Elf64_Sym*>(file.data() + s->sh_offset);
    for (std::uint64_t i = 0; i < s->sh_size / sizeof(Elf64_Sym); ++i) {
      const std::size_t length = std::char_traits<char>::length(names + table[i].st_name);
      symbols.count += length > 0;
      symbols.name_bytes += length;
    }
  }
  return symbols;
}

using Outcomes = std::vector<bulkhead::Outcome<Symbols>>;

// Returns whether every whole file was counted as a plain loop in this one process counts it.
static bool check_whole_files(const std::vector<std::string>& files, const Outcomes& outcomes) {
  std::uint64_t total = 0;
  std::size_t same = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!outcomes[i]) {
      std::printf("  LOST              %s: %s\n", files[i].c_str(), outcomes[i].error().describe().c_str());
      continue;
    }
    total += outcomes[i]->count;
    same += *outcomes[i] == count_symbols(files[i]);
  }
  std::printf("  whole files       %llu symbols in %zu files\n", static_cast<unsigned long long>(total), files.size());
  std::printf("  checked           %zu of %zu agree with a plain loop in one process\n", same, files.size());
  return same == files.size();
}

static void describe_damaged_files(Outcomes::const_iterator first, Outcomes::const_iterator last) {
  std::map<std::string, std::size_t> endings;
  std::size_t failed = 0;
  for (auto outcome = first; outcome != last; ++outcome) {
    if (*outcome) continue;
    ++failed;
    ++endings[outcome->error().describe()];
  }
  const auto damaged = static_cast<std::size_t>(std::distance(first, last));
  std::printf("  damaged copies    %zu failed, %zu gave some number\n", failed, damaged - failed);
  for (const auto& [ending, count] : endings) std::printf("                    %4zu x %s\n", count, ending.c_str());
}

static int run(std::size_t damaged, const std::vector<std::string>& directories) {
  const std::vector<std::string> files = elf_files::find(directories);
  if (files.size() < 1000) std::printf("  note              fewer than 1000 ELF files on this machine\n");
  const elf_files::DamagedCopies copies(files, damaged);
  std::vector<std::string> paths = files;
  paths.insert(paths.end(), copies.paths().begin(), copies.paths().end());

  const auto start = std::chrono::steady_clock::now();
  // [job]
  std::vector<bulkhead::Outcome<Symbols>> outcomes =
      bulkhead::do_process_work(paths, count_symbols, {.task_timeout = 10s});  // outcomes[i] belongs to paths[i]
  // [end]
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  std::printf("  files             %zu, %zu of them damaged, in %.2f s on %zu worker processes\n", paths.size(),
              copies.paths().size(), seconds.count(), bulkhead::usable_cores());
  const bool agrees = check_whole_files(files, outcomes);
  describe_damaged_files(outcomes.begin() + static_cast<std::ptrdiff_t>(files.size()), outcomes.end());
  return agrees ? 0 : 1;
}

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::size_t damaged = arguments.empty() ? 60 : std::stoul(arguments.front());
    std::vector<std::string> directories{"/usr/lib", "/usr/libexec", "/usr/bin", "/usr/sbin"};
    if (arguments.size() > 1) directories.assign(arguments.begin() + 1, arguments.end());
    return run(damaged, directories);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "elf_symbols: %s\nusage: elf_symbols [DAMAGED [DIRECTORY...]]\n", error.what());
    return 2;
  }
}
