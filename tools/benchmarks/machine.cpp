// Says what the figures were taken on. Usage: machine [--json FILE]
#include <bulkhead/options.hpp>

#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

std::string line_of(const char* file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// The value of the first "key : value" or "key=value" in a file.
std::string value_of(const char* file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) {
      line.erase(std::remove(line.begin(), line.end(), '"'), line.end());
      return line.substr(line.find_first_not_of(" \t", line.find_first_of(":=") + 1));
    }
  return "unknown";
}

std::string or_unknown(std::string words) { return words.empty() ? "unknown" : words; }

std::vector<std::pair<std::string, std::string>> facts() {
  utsname machine{};
  ::uname(&machine);
  return {{"processor", value_of("/proc/cpuinfo", "model name")},
          {"usable cores", std::to_string(bulkhead::usable_cores())},
          {"memory", value_of("/proc/meminfo", "MemTotal")},
          {"kernel", std::string(machine.sysname) + ' ' + machine.release},
          {"system", value_of("/etc/os-release", "PRETTY_NAME")},
          {"compiler", "g++ " __VERSION__},
          {"transparent huge pages", or_unknown(line_of("/sys/kernel/mm/transparent_hugepage/enabled"))},
          {"frequency governor", or_unknown(line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))},
          {"load before the start", line_of("/proc/loadavg")}};
}

}  // namespace

int main(int argc, char** argv) {
  nlohmann::ordered_json json;
  for (const auto& [name, words] : facts()) {
    fmt::print("{}: {}\n", name, words);
    json[name] = words;
  }
  double load = 0;
  std::istringstream(line_of("/proc/loadavg")) >> load;
  if (load > 0.5) fmt::print("THIS MACHINE IS BUSY: read nothing into these figures\n");
  if (argc == 3 && std::string_view(argv[1]) == "--json") std::ofstream(argv[2]) << json.dump(2) << '\n';
  return 0;
}
