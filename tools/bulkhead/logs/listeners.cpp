#include "logs/listeners.hpp"

#include "logs/events_file.hpp"
#include "logs/junit_file.hpp"
#include "logs/results_directories.hpp"
#include "logs/trace_file.hpp"

namespace bulkhead::tool {

std::vector<std::unique_ptr<RunListener>> make_listeners(const Settings& settings, Printer& printer, Console& console) {
  std::vector<std::unique_ptr<RunListener>> listeners;
  // First, so that who reads in the events that a task has finished finds its results.
  if (!settings.results.empty()) listeners.push_back(std::make_unique<ResultsDirectories>(settings, printer, console));
  if (!settings.events.empty()) listeners.push_back(std::make_unique<EventsFile>(settings.events));
  if (!settings.trace.empty()) listeners.push_back(std::make_unique<TraceFile>(settings.trace));
  if (!settings.junit.empty()) listeners.push_back(std::make_unique<JunitFile>(settings.junit));
  return listeners;
}

}  // namespace bulkhead::tool
