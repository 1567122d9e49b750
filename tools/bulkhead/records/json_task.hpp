// --input jsonl: one object a line that says all about a task.
#pragma once

#include "records/task.hpp"

namespace bulkhead::tool {

/// Turns the record in `task.fields` into the task it describes: {"argv":[...],"env":{...},"stdin":"...","id":"..."}.
/// A record that is no such object gets a `problem` and keeps its text, so that it fails alone.
void read_task(Task& task);

}  // namespace bulkhead::tool
