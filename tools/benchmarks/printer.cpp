// Prints 1 MiB: one letter, chosen by the record. Usage: printer RECORD
#include <unistd.h>

#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string piece(64u << 10, static_cast<char>('a' + std::atoi(argv[1]) % 26));
  for (int i = 0; i < 16; ++i)
    for (std::size_t at = 0; at < piece.size();) {
      const ssize_t n = ::write(1, piece.data() + at, piece.size() - at);
      if (n <= 0) return 1;
      at += static_cast<std::size_t>(n);
    }
  return 0;
}
