#include "os/frame_names.hpp"

#include "os/child.hpp"
#include "os/function_table.hpp"
#include "os/loaded_file.hpp"
#include "os/source_lines.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace bulkhead::os {

namespace {

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

/// What has been loaded into this process and unloaded again, so far.
struct Loads {
  unsigned long long added = 0, removed = 0;
  bool operator==(const Loads&) const = default;
};

Loads loads_so_far() {
  Loads loads;
  const auto note = [](dl_phdr_info* module, std::size_t, void* argument) {
    *static_cast<Loads*>(argument) = {module->dlpi_adds, module->dlpi_subs};
    return 1;  // every module says the same
  };
  ::dl_iterate_phdr(note, &loads);
  return loads;
}

class NameBook {
 public:
  /// Crashes come in many copies: what was asked for before is known.
  std::string name(std::uint64_t address) {
    constexpr std::size_t most_known = 4096;
    if (known_.size() >= most_known) known_.clear();
    if (const Loads now = loads_so_far(); now != loads_) {
      known_.clear();
      if (now.removed != loads_.removed) modules_.clear();  // others may lie there now
      loads_ = now;
    }
    if (const auto found = known_.find(address); found != known_.end()) return found->second;
    return known_[address] = find_out(address);
  }

  void close_files() { modules_.clear(); }

 private:
  struct Module {
    FunctionTable functions;
    SourceLines lines;
  };

  std::string find_out(std::uint64_t address) {
    const std::optional<LoadedFile> loaded = loaded_file_at(address);
    if (!loaded) return told_by_linker(address).value_or(with_offset("", address).substr(1));
    const std::uint64_t in_file = address - loaded->base;
    Module& module = open(loaded->path, loaded->base);
    const std::string function = function_at(module.functions, in_file, address, loaded->path);
    const std::string line = module.lines.at(in_file);
    return line.empty() ? function : function + " (" + line + ")";
  }

  // Of a file that is no longer what was loaded nothing is believed.
  Module& open(const std::string& path, std::uint64_t base) {
    const auto [module, fresh] = modules_.try_emplace({path, base});
    if (fresh && is_file_as_loaded(path, base))
      module->second = {FunctionTable(path), is_c_library(path) ? SourceLines() : SourceLines(path)};
    return module->second;
  }

  // Its functions say enough; and to unpack its debug file, where that is installed, takes 70 to 110 ms, which the
  // first crash of a run would wait for.
  static bool is_c_library(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1) == LIBC_SO; }

  // A symbol of the file's own table, or the dynamic linker's, or the file alone.
  static std::string function_at(const FunctionTable& functions, std::uint64_t in_file, std::uint64_t address,
                                 const std::string& path) {
    if (const FunctionTable::Function* function = functions.at(in_file))
      return with_offset(without_parameters(demangled(function->name.c_str())), in_file - function->begin);
    if (auto name = told_by_linker(address)) return *std::move(name);
    const std::string file = path == own_program ? ::program_invocation_short_name : path;
    return with_offset(file.substr(file.rfind('/') + 1), in_file);
  }

  // It knows the exported functions, and those of modules in namespaces of their own (dlmopen).
  static std::optional<std::string> told_by_linker(std::uint64_t address) {
    Dl_info info{};
    if (::dladdr(reinterpret_cast<void*>(address), &info) == 0 || !info.dli_sname) return std::nullopt;
    return with_offset(without_parameters(demangled(info.dli_sname)),
                       address - reinterpret_cast<std::uint64_t>(info.dli_saddr));
  }

  std::map<std::pair<std::string, std::uint64_t>, Module> modules_;
  std::unordered_map<std::uint64_t, std::string> known_;
  Loads loads_;
};

struct SharedBook {
  std::mutex mutex;
  NameBook names;
  std::uint64_t owner = process_identity();
};

// For good: also crashes at exit have names. A child that was forked begins its own, since another thread of its parent
// may have been reading in this one.
std::atomic<SharedBook*> current_book{nullptr};

bool is_ours(const SharedBook* book) noexcept { return book != nullptr && book->owner == process_identity(); }

SharedBook& shared_book() {
  SharedBook* book = current_book.load();
  while (!is_ours(book)) {
    auto fresh = std::make_unique<SharedBook>();
    if (current_book.compare_exchange_strong(book, fresh.get())) return *fresh.release();
  }
  return *book;
}

}  // namespace

std::vector<std::string> frame_names(std::span<const std::uint64_t> addresses) noexcept {
  std::vector<std::string> names;
  try {
    names.reserve(addresses.size());
    SharedBook& book = shared_book();
    const std::lock_guard lock(book.mutex);
    for (const std::uint64_t address : addresses) names.push_back(book.names.name(address));
  } catch (...) {  // out of memory: a backtrace is not worth the run
  }
  return names;
}

void close_debug_information() noexcept {
  SharedBook* const book = current_book.load();
  if (!is_ours(book)) return;  // nothing was named here
  const std::lock_guard lock(book->mutex);
  book->names.close_files();
}

}  // namespace bulkhead::os
