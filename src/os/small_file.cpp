#include "os/small_file.hpp"

#include "os/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace bulkhead::os {

std::string read_small_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t n = file ? ::read(file.get(), chunk.data(), chunk.size()) : 0;
    if (n <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace bulkhead::os
