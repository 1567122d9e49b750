#include <bulkhead/batch.hpp>

#include "command_line/command_line.hpp"
#include "runs/function_batch.hpp"
#include "runs/program_frame.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <utility>
#include <vector>

namespace bulkhead::detail {

int batch_main(int argc, char** argv, ColumnsFunction function, BatchOptions options) {
  const std::string name = argc > 0 ? std::string(argv[0]) : std::string("batch");
  const std::string shown = name.substr(name.rfind('/') + 1);  // npos + 1 is the beginning
  return tool::framed(shown, [&] {
    std::string help;
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    const auto settings = tool::parse_command_line(tool::Subcommand::batch, words, help, shown);
    if (!settings) return tool::say(help);
    if (!settings->command.empty())
      throw tool::UsageError("\"" + settings->command.front() +
                             "\" is no option; records come from standard input, -a FILE, or behind :::");
    return tool::function_batch(*settings, {.shown_name = tool::shell_quote(name),
                                            .runs_alone = true,
                                            .call = std::move(function),
                                            .worker_init = std::move(options.worker_init),
                                            .worker_exit = std::move(options.worker_exit)});
  });
}

}  // namespace bulkhead::detail
