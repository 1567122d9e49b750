// The listeners that the settings ask for.
#pragma once

#include "logs/run_listener.hpp"
#include "output/printer.hpp"
#include "rules/settings.hpp"

#include <memory>
#include <vector>

namespace bulkhead::tool {

/// Opens their files. Throws UsageError, std::system_error. `printer` holds the output of the tasks and outlives them.
std::vector<std::unique_ptr<RunListener>> make_listeners(const Settings& settings, Printer& printer);

}  // namespace bulkhead::tool
