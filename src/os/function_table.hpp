// The functions of an ELF file by address, static ones included, from the symbol table that strip removes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead::os {

class FunctionTable {
 public:
  struct Function {
    std::uint64_t begin = 0, size = 0;  // as the file counts addresses
    std::string name;                   // as the linker knows it
  };

  FunctionTable() noexcept = default;  // of no file: empty
  /// Empty where the file has no such table, or is no ELF file.
  explicit FunctionTable(const std::string& path);

  /// Null: the address is in none of them.
  const Function* at(std::uint64_t address) const noexcept;

 private:
  std::vector<Function> functions_;
};

}  // namespace bulkhead::os
