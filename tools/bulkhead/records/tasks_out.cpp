#include "records/tasks_out.hpp"

#include <stdexcept>
#include <utility>

namespace bulkhead::tool {

Task& TasksOut::put(std::size_t index, Task&& task) {
  if (crowded_out_.size() > places_.size() / 4) grow();
  ++size_;
  Place& mine = place(index);
  if (mine.index != nobody) return crowded_out_.insert_or_assign(index, std::move(task)).first->second;
  mine.index = index;
  mine.task = std::move(task);
  return mine.task;
}

const Task& TasksOut::at(std::size_t index) const {
  const Place& there = place(index);
  return there.index == index ? there.task : crowded_out_.at(index);
}

Task TasksOut::take(std::size_t index) {
  Place& there = place(index);
  if (there.index == index) {
    --size_;
    there.index = nobody;
    return std::move(there.task);
  }
  auto node = crowded_out_.extract(index);
  if (node.empty()) throw std::out_of_range("a result came for a task that is not out");
  --size_;
  return std::move(node.mapped());
}

void TasksOut::grow() {
  std::vector<Place> before = std::exchange(places_, std::vector<Place>(places_.size() * 2));
  auto crowded = std::exchange(crowded_out_, {});
  size_ = 0;
  for (Place& one : before)
    if (one.index != nobody) put(one.index, std::move(one.task));
  for (auto& [index, task] : crowded) put(index, std::move(task));
}

}  // namespace bulkhead::tool
