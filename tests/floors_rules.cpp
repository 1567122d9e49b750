// Who may lean on whom. One line a floor; a new folder starts here.
#include "floors.hpp"

namespace floors {

const Rules& rules() {
  static const Rules all{
      .floors =
          {
              {"include/bulkhead", {"std", "word", "public", "include/bulkhead/detail"}},
              {"include/bulkhead/detail", {"std", "word", "public", "include/bulkhead/detail"}},
              {"src/os", {"std", "compiler", "system", "word", "src/os"}},
              {"src/ipc",
               {"std", "compiler", "boost", "word", "public", "include/bulkhead/detail", "src/os", "src/ipc"}},
              {"src", {"std", "compiler", "word", "public", "include/bulkhead/detail", "src/os", "src/ipc", "src"}},
              {"src/log", {"std", "spdlog", "word", "public", "include/bulkhead/detail"}},
              {"src/threads", {"std", "word", "public", "include/bulkhead/detail", "src/threads"}},
              {"src/process",
               {"std", "compiler", "word", "public", "include/bulkhead/detail", "src/os", "src/ipc", "src",
                "src/process"}},
              {"tools/bulkhead/words", {"std", "fmt", "word", "public", "tools/bulkhead/words"}},
              {"tools/bulkhead/records",
               {"std", "fmt", "nlohmann", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records"}},
              {"tools/bulkhead/rules",
               {"std", "fmt", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records",
                "tools/bulkhead/rules"}},
              {"tools/bulkhead/output",
               {"std", "fmt", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records",
                "tools/bulkhead/rules", "tools/bulkhead/output"}},
              {"tools/bulkhead/logs",
               {"std", "fmt", "nlohmann", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records",
                "tools/bulkhead/rules", "tools/bulkhead/output", "tools/bulkhead/logs"}},
              {"tools/bulkhead/command_line",
               {"std", "CLI", "fmt", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records",
                "tools/bulkhead/rules", "tools/bulkhead/command_line"}},
              {"tools/bulkhead/runs",
               {"std", "fmt", "nlohmann", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records",
                "tools/bulkhead/rules", "tools/bulkhead/output", "tools/bulkhead/logs", "tools/bulkhead/command_line",
                "tools/bulkhead/runs"}},
              {"tools/bulkhead",
               {"std", "word", "public", "tools/bulkhead/words", "tools/bulkhead/records", "tools/bulkhead/rules",
                "tools/bulkhead/output", "tools/bulkhead/logs", "tools/bulkhead/command_line", "tools/bulkhead/runs"}},
              {"tools/examples", {"std", "word", "public", "tools/examples"}},
          },
      .exceptions =
          {
              {"include/bulkhead/codec.hpp", "cereal"},
              {"include/bulkhead/detail/json_parser.hpp", "cereal"},
              {"tools/examples/elf_symbols.cpp", "elf.h"},
          },
      // The library and the program make no standard streams: stdio has the same.
      .reserved_words = {{"memory_order", "src/ipc"},
                         {"std::cout", "src/os", "tools/examples"},
                         {"std::cerr", "src/os", "tools/examples"},
                         {"std::clog", "src/os", "tools/examples"},
                         {"std::cin", "src/os", "tools/examples"}},
      .refused_names = {"util", "utils", "utility", "common", "helper", "helpers", "misc", "manager"},
  };
  return all;
}

}  // namespace floors
