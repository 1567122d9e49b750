#include "logs/resuming.hpp"

#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bulkhead::tool {

std::string Resuming::option() const { return settings_.resume == ResumeMode::failed ? "--resume-failed" : "--resume"; }

std::string Resuming::way_out() const {
  return settings_.resume == ResumeMode::failed ? "write --resume=force as well" : "write --resume=force";
}

void Resuming::look_through(TaskSource& source, const std::function<void(const Task&)>& skip) const {
  const JobLogHistory history(settings_.joblog);
  refuse_damage(history);
  const bool all = source.look_through(history.last(), [&](const Task& task) {
    const bool done = was_done(task, history);
    if (done) skip(task);
    return done;
  });
  if (!all) refuse_fewer(source, history);
}

void Resuming::refuse_damage(const JobLogHistory& history) const {
  if (!history.damaged() || settings_.resume_unchecked) return;
  throw UsageError(fmt::format(
      "{}: line {} of {} speaks of a task {}, and nearly all before it are missing: it is damaged. Remove it, or {}, "
      "and that task is run again",
      option(), logged_line(settings_.joblog, *history.damaged()), settings_.joblog, *history.damaged(), way_out()));
}

void Resuming::refuse_fewer(const TaskSource& source, const JobLogHistory& history) const {
  if (settings_.resume_unchecked) return;
  if (!source.read_error().empty())
    throw UsageError(fmt::format("{}: {}; nothing has been run, for what was not read cannot be compared with {}",
                                 option(), source.read_error(), settings_.joblog));
  throw UsageError(fmt::format("{}: {} has a task {}, and these records make only {}; name the log of this run, or {}",
                               option(), settings_.joblog, history.last(), source.handed_out(), way_out()));
}

bool Resuming::was_done(const Task& task, const JobLogHistory& history) const {
  const std::uint64_t sequence = task.sequence;
  if (!history.logged(sequence)) return false;
  if (!settings_.resume_unchecked) {
    // {%} stands for any of them, of a run that may have had other sources.
    const int slots = static_cast<int>(std::max({slots_, settings_.jobs.value_or(0), std::size_t{256}}));
    bool same = false;
    for (int slot = 0; slot < slots && !same; ++slot) same = history.matches(sequence, shown_(task, slot));
    if (!same)
      throw UsageError(
          fmt::format("{}: task {} is not the one in {}: there it is \"{}\", here \"{}\". Name the log of this run, "
                      "or {}",
                      option(), sequence, settings_.joblog, printable(logged_command(settings_.joblog, sequence)),
                      printable(shown_(task, 0)), way_out()));
  }
  return settings_.resume == ResumeMode::all || history.succeeded(sequence);
}

}  // namespace bulkhead::tool
