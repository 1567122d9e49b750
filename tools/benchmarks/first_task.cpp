// Says on a FIFO when it came to main(), as CLOCK_MONOTONIC in nanoseconds, and stays. Usage: first_task FIFO [RECORD]
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

int main(int argc, char** argv) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t ns = std::uint64_t(now.tv_sec) * 1'000'000'000 + std::uint64_t(now.tv_nsec);
  const int fifo = argc > 1 ? ::open(argv[1], O_WRONLY) : -1;
  if (fifo < 0 || ::write(fifo, &ns, sizeof ns) != sizeof ns) return 1;
  ::alarm(60);  // should nobody end it
  ::pause();
  return 0;
}
