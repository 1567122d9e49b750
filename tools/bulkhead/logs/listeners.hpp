// The listeners that the settings ask for.
#pragma once

#include "logs/run_listener.hpp"
#include "output/console.hpp"
#include "output/printer.hpp"
#include "rules/settings.hpp"

#include <memory>
#include <vector>

namespace bulkhead::tool {

/// Opens their files. Throws UsageError, std::system_error. `printer` holds the output of the tasks; it and `console`
/// outlive them.
std::vector<std::unique_ptr<RunListener>> make_listeners(const Settings& settings, Printer& printer, Console& console);

}  // namespace bulkhead::tool
