#include "listeners.hpp"

#include "events_file.hpp"

namespace bulkhead::tool {

std::vector<std::unique_ptr<RunListener>> make_listeners(const Settings& settings, Printer& /*printer*/) {
  std::vector<std::unique_ptr<RunListener>> listeners;
  if (!settings.events.empty()) listeners.push_back(std::make_unique<EventsFile>(settings.events));
  return listeners;
}

}  // namespace bulkhead::tool
