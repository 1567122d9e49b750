#include <bulkhead/crash_groups.hpp>

#include "frame_text.hpp"
#include "os/signal_name.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace bulkhead {
namespace {

// What a frame is called whatever was loaded where.
std::string_view lasting_name(std::string_view frame) {
  const FrameText parts = parts_of_frame(frame);
  if (names_a_function(parts)) return parts.function;
  return parts.function.starts_with("0x") ? "an address without code" : parts.with_offset;
}

// The innermost names, each run of equal ones once.
std::vector<std::string_view> innermost(const std::vector<std::string>& backtrace, std::size_t most) {
  std::vector<std::string_view> names;
  for (const std::string& frame : backtrace) {
    const std::string_view name = lasting_name(frame);
    if (!names.empty() && names.back() == name) continue;
    if (names.size() == most) break;
    names.push_back(name);
  }
  return names;
}

std::string key_of(const Failure& failure, std::size_t frames) {
  std::string key(to_string(failure.ending));
  key += '\n' + std::to_string(failure.signal) + '\n' + std::to_string(failure.exit_code) + '\n' + failure.type;
  for (const std::string_view name : innermost(failure.backtrace, frames)) (key += '\n') += name;
  return key;
}

std::string title_of(const Failure& failure) {
  Failure bare = failure;
  bare.what.clear();
  bare.backtrace.clear();
  std::string title =
      failure.signal != 0 && failure.ending == Ending::crashed ? os::signal_name(failure.signal) : bare.describe();
  const auto names = innermost(failure.backtrace, 2);
  if (!names.empty()) (title += " at ") += names.front();
  if (names.size() > 1) (title += " under ") += names.back();
  return title;
}

void count_in(CrashGroup& group, std::uint64_t task, const Failure& failure, std::size_t input_bytes) {
  if (group.count++ != 0 && std::tie(group.example_bytes, group.example_task) <= std::tie(input_bytes, task)) return;
  group.example = failure;
  group.example_task = task;
  group.example_bytes = input_bytes;
}

}  // namespace

void CrashGroups::add(std::uint64_t task, const Failure& failure, std::size_t input_bytes) {
  std::string key = key_of(failure, frames_);
  const auto known = groups_.find(key);
  if (known != groups_.end()) return count_in(known->second, task, failure, input_bytes);
  if (groups_.size() >= most_groups_) return count_in(others_, task, failure, input_bytes);
  CrashGroup group;
  group.title = title_of(failure);
  count_in(group, task, failure, input_bytes);
  groups_.emplace(std::move(key), std::move(group));
}

std::vector<CrashGroup> CrashGroups::by_count() const {
  std::vector<CrashGroup> sorted;
  sorted.reserve(groups_.size() + 1);
  for (const auto& [key, group] : groups_) sorted.push_back(group);
  std::sort(sorted.begin(), sorted.end(), [](const CrashGroup& a, const CrashGroup& b) {
    return std::tie(b.count, a.example_bytes, a.example_task) < std::tie(a.count, b.example_bytes, b.example_task);
  });
  if (others_.count == 0) return sorted;
  sorted.push_back(others_);
  sorted.back().title = "others";
  return sorted;
}

}  // namespace bulkhead
