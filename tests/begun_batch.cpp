// A program out of one function for plugin_test.cpp, with a beginning that may go wrong.
#include <bulkhead/batch.hpp>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  std::string table;
  const auto begin = [&table] {
    if (std::getenv("NO_TABLE")) throw std::runtime_error("no table");
    table = "table";
  };
  const auto look_up = [&table](const std::string& a, const std::vector<int>& b) {
    if (a == "die") std::raise(SIGABRT);
    return table + " " + a + " " + std::to_string(b.size());
  };
  return bulkhead::batch_main(argc, argv, look_up, {.worker_init = begin});
}
