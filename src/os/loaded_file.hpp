// Whether a file is still the one that is loaded: a library may have been rebuilt or replaced under a running program.
#pragma once

#include <cstdint>
#include <string>

namespace bulkhead::os {

/// Compares the program headers of `path`, and its notes (the build id is one of them), with those of the module that
/// is loaded at `base`. False where either is missing.
bool is_file_as_loaded(const std::string& path, std::uint64_t base);

}  // namespace bulkhead::os
