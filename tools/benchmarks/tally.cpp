// Adds one byte to a file: a program whose runs can be counted. Usage: tally FILE [RECORD]
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const int file = argc > 1 ? ::open(argv[1], O_WRONLY | O_APPEND) : -1;
  return file >= 0 && ::write(file, "x", 1) == 1 ? 0 : 1;
}
