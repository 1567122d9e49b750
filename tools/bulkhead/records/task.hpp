// One attempt at one record, as it goes to a worker and comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::tool {

/// What nearly no task has: apart, so that tasks are small.
struct TaskExtras {
  std::vector<std::string> environment{};  ///< K=V, its own (--input jsonl)
  std::string input{};                     ///< its standard input (--input jsonl)
  std::string id{};                        ///< its name in reports (--input jsonl)
  std::string problem{};                   ///< why this record is no task; empty: it is one
  std::vector<std::string> texts{};        ///< its records as they were read, where that is wanted; stays here
};

struct Task {
  std::uint64_t sequence = 0;  ///< from 1; the same for every attempt
  unsigned attempt = 1;
  std::vector<std::string> fields{};
  std::shared_ptr<TaskExtras> apart{};  ///< null: nothing of it. Copies share it: once it is read, nobody changes it

  const TaskExtras& extras() const noexcept;
  TaskExtras& own_extras();

  std::size_t encode_into(std::span<std::byte> into) const;
  static Task decode_from(std::span<const std::byte> bytes);
};

}  // namespace bulkhead::tool
