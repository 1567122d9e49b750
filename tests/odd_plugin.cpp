// A plugin for plugin_test.cpp: functions of many types, and beginnings that go wrong when they are asked to.
#include <bulkhead/plugin.hpp>
#include <bulkhead/task.hpp>
#include <bulkhead/work.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

struct Point {
  int x = 0;
  short y = 0;
  std::optional<std::string> note{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(x), CEREAL_NVP(y), CEREAL_NVP(note));
  }
};
struct Tree {
  std::string name;
  std::vector<Tree> children{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(children));
  }
};

int begun = 0;

// BEGIN says how a worker begins; APPEND is a file that every beginning and end writes a line to.
void note(const char* word) {
  const char* const name = std::getenv("APPEND");
  if (!name) return;
  std::FILE* const file = std::fopen(name, "a");
  std::fprintf(file, "%s\n", word);
  std::fclose(file);
}

void begin() {
  note("begin");
  const char* const how = std::getenv("BEGIN");
  if (how && std::string(how) == "throw") throw std::runtime_error("no model today");
  if (how && std::string(how) == "crash") std::raise(SIGABRT);
  if (how && std::string(how) == "exit") std::_Exit(7);
  begun = 1;
}
void begin_again() { begun = begun * 10 + 2; }
void end() { note("end"); }

Point swapped(const Point& p) { return {p.y, static_cast<short>(p.x), p.note}; }
std::size_t count(const Tree& tree) {
  std::size_t all = 1;
  for (const Tree& child : tree.children) all += count(child);
  return all;
}
std::map<std::string, int> lengths(const std::vector<std::string>& words) {
  std::map<std::string, int> all;
  for (const std::string& word : words) all[word] = static_cast<int>(word.size());
  return all;
}
std::string columns(std::string_view a, int b, const Point& c) {
  return std::string(a) + "/" + std::to_string(b) + "/" + std::to_string(c.x);
}
void silent(int x) {
  if (x == 0) throw std::invalid_argument("zero");
}
bool negated(bool x) { return !x; }
int state(std::string_view record) {
  if (record == "die") std::raise(SIGABRT);
  return begun;
}
// No exception leaves it: that memory was refused is known only where the refusal was heard.
int hoard(int) noexcept {
  for (std::vector<std::string> all;;) all.emplace_back(1 << 20, 'x');
}
// With a copy of the library of its own, whose exceptions are of another C++ runtime than the program's.
std::string nested(int) {
  std::string endings;
  const auto thrower = [](int x) { return x == 0 ? throw std::runtime_error("inner") : x; };
  for (const auto& outcome : bulkhead::do_process_work(std::vector{0, 5}, thrower, {.num_workers = 1}))
    endings += outcome ? std::to_string(*outcome) : outcome.error().what;
  return endings;
}
std::uint64_t place(std::string_view) {
  bulkhead::emit_output(2, std::as_bytes(std::span(std::string_view("said"))));
  return bulkhead::this_task().value().index;
}
int refused(int) { return static_cast<int>(std::string(1L << 40, 'x').size()); }
std::string latin(int) { return "\xe9"; }
std::vector<std::string> latin_list(int) { return {"\xe9"}; }

}  // namespace

BULKHEAD_WORKER_INIT(begin)
BULKHEAD_WORKER_INIT(begin_again)
BULKHEAD_WORKER_EXIT(end)
BULKHEAD_FUNCTION(swapped, swapped)
BULKHEAD_FUNCTION(count, count)
BULKHEAD_FUNCTION(lengths, lengths)
BULKHEAD_FUNCTION(columns, columns)
BULKHEAD_FUNCTION(silent, silent)
BULKHEAD_FUNCTION(negated, negated)
BULKHEAD_FUNCTION(state, state)
BULKHEAD_FUNCTION(hoard, hoard)
BULKHEAD_FUNCTION(nested, nested)
BULKHEAD_FUNCTION(place, place)
BULKHEAD_FUNCTION(refused, refused)
BULKHEAD_FUNCTION(latin, latin)
BULKHEAD_FUNCTION(latin_list, latin_list)
