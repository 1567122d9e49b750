// The tasks that are out, by their number in the stream.
#pragma once

#include "records/task.hpp"

#include <cstddef>
#include <unordered_map>
#include <vector>

namespace bulkhead::tool {

/// Numbers ascend, and most come back soon: each has its place at its number modulo the size. One whose place is still
/// taken by a straggler goes into a map; when these become many, the table grows to twice its size.
class TasksOut {
 public:
  Task& put(std::size_t index, Task&& task);
  /// Throws std::out_of_range where it is not out.
  const Task& at(std::size_t index) const;
  Task take(std::size_t index);
  std::size_t size() const noexcept { return size_; }

 private:
  struct Place {
    std::size_t index = nobody;
    Task task{};
  };
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

  Place& place(std::size_t index) noexcept { return places_[index & (places_.size() - 1)]; }
  const Place& place(std::size_t index) const noexcept { return places_[index & (places_.size() - 1)]; }
  void grow();

  std::vector<Place> places_ = std::vector<Place>(64);  // a power of two
  std::unordered_map<std::size_t, Task> crowded_out_;
  std::size_t size_ = 0;
};

}  // namespace bulkhead::tool
