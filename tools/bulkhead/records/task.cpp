#include "records/task.hpp"

#include <cstddef>
#include <cstring>
#include <new>
#include <stdexcept>

namespace bulkhead::tool {

namespace {

const TaskExtras& no_extras() noexcept {
  // Never ended: what ends at exit has to be signed up for that, in each worker as well.
  alignas(TaskExtras) static std::byte room[sizeof(TaskExtras)];
  static const TaskExtras& none = *::new (room) TaskExtras;
  return none;
}

// Sizes and texts, one behind the other. First without a place, for the size alone; then into the place.
class Writer {
 public:
  explicit Writer(std::byte* place) noexcept : at_(place), writes_(place != nullptr) {}

  void number(std::uint64_t value) noexcept { bytes(&value, sizeof value); }
  void text(const std::string& text) noexcept {
    number(text.size());
    bytes(text.data(), text.size());
  }
  void texts(const std::vector<std::string>& texts) noexcept {
    number(texts.size());
    for (const std::string& one : texts) text(one);
  }
  std::size_t size() const noexcept { return size_; }

 private:
  void bytes(const void* from, std::size_t size) noexcept {
    if (writes_ && size != 0) std::memcpy(at_ + size_, from, size);
    size_ += size;
  }
  std::byte* at_;
  bool writes_;
  std::size_t size_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() {
    const auto bytes = take(number());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::vector<std::string> texts() {
    const std::uint64_t count = number();
    if (count > left_.size() / sizeof(std::uint64_t)) throw std::length_error("a task's bytes are damaged");
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) texts.push_back(text());
    return texts;
  }
  bool at_end() const noexcept { return left_.empty(); }

 private:
  std::span<const std::byte> take(std::uint64_t size) {
    if (size > left_.size()) throw std::length_error("a task's bytes are damaged");
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  std::span<const std::byte> left_;
};

void write(const Task& task, Writer writer, std::size_t& size) {
  writer.number(task.sequence);
  writer.number(task.attempt);
  writer.texts(task.fields);
  if (const TaskExtras& extras = task.extras(); &extras != &no_extras()) {
    writer.texts(extras.environment);
    writer.text(extras.input);
    writer.text(extras.id);
    writer.text(extras.problem);
  }
  size = writer.size();
}

}  // namespace

const TaskExtras& Task::extras() const noexcept { return apart ? *apart : no_extras(); }

TaskExtras& Task::own_extras() {
  if (!apart) apart = std::make_shared<TaskExtras>();
  return *apart;
}

std::size_t Task::encode_into(std::span<std::byte> into) const {
  std::size_t size = 0;
  write(*this, Writer(nullptr), size);
  if (size <= into.size()) write(*this, Writer(into.data()), size);
  return size;
}

Task Task::decode_from(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  Task task;
  task.sequence = reader.number();
  task.attempt = static_cast<unsigned>(reader.number());
  task.fields = reader.texts();
  if (!reader.at_end()) {
    TaskExtras& extras = task.own_extras();
    extras.environment = reader.texts();
    extras.input = reader.text();
    extras.id = reader.text();
    extras.problem = reader.text();
  }
  return task;
}

}  // namespace bulkhead::tool
