// The files that are loaded, and whether they still are what was loaded: a library may have been rebuilt or replaced
// under a running program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bulkhead::os {

/// The path of the program itself.
inline constexpr const char* own_program = "/proc/self/exe";

struct LoadedFile {
  std::string path;
  std::uint64_t base = 0;  ///< what is added to the file's addresses
};
/// The one that an address is in. Not by dladdr(), which finds nothing in a program that is linked statically.
std::optional<LoadedFile> loaded_file_at(std::uint64_t address);

/// Compares the program headers of `path`, and its notes (the build id is one of them), with those of the module that
/// is loaded at `base`. False where either is missing.
bool is_file_as_loaded(const std::string& path, std::uint64_t base);

}  // namespace bulkhead::os
