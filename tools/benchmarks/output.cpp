// Tasks that print 1 MiB each, two at a time, into a pipe that is read as fast as it goes.
#include "program.hpp"
#include "subject.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t mib = 1u << 20, page = 4096;

enum class Order { none, grouped, kept };

/// Looks at one byte of every page: each task's MiB must be of one letter, and in order where that was asked for.
class Reader {
 public:
  explicit Reader(Order order) : order_(order) {}

  void take(std::string_view bytes) {
    for (std::size_t at = (page - seen_ % page) % page; order_ != Order::none && at < bytes.size(); at += page)
      look(seen_ + at, bytes[at]);
    seen_ += bytes.size();
  }
  void end(std::size_t tasks) const {
    if (seen_ != tasks * mib || !right_) throw std::runtime_error("output is missing, mixed or out of order");
  }

 private:
  void look(std::size_t place, char letter) {
    if (place % mib == 0) letter_ = letter;
    right_ &= letter == letter_;
    right_ &= order_ != Order::kept || letter == static_cast<char>('a' + place / mib % 26);
  }

  Order order_;
  std::size_t seen_ = 0;
  char letter_ = 0;
  bool right_ = true;
};

std::vector<double> measure(bench::Command command, std::size_t tasks, Order order) {
  Reader reader(order);
  command.reader = [&](std::string_view bytes) { reader.take(bytes); };
  command.watch_peak = true;
  const bench::Run run = bench::run(command);
  reader.end(tasks);
  return {static_cast<double>(tasks) / run.seconds, run.peak_mib};
}

bench::Subject output(const bench::Setting& setting) {
  const std::size_t tasks = setting.count(500);
  const auto scratch = std::make_shared<bench::ScratchDirectory>();
  const std::string records = scratch->file("records", tasks, [](std::size_t i) { return std::to_string(i); });
  bench::Subject subject{"output", std::to_string(tasks) + " tasks that print 1 MiB each, two at a time, into a pipe"};
  const auto add = [&](const std::string& name, std::vector<std::string> words, Order order, std::string version) {
    words.push_back(bench::beside("printer"));
    const bench::Command command{std::move(words), records};  // bare_relay counts for itself
    subject.add({{{{name, "MiB/s", version}, {name + ", peak", "MiB", version}},
                  [=, keep = scratch] { return measure(command, tasks, order); }}});
  };
  const std::string ours = bench::bulkhead_program(), version = bench::first_line_of(ours + " --version");
  const std::string grouped = "bulkhead run -j2, grouped", in_order = "bulkhead run -j2 -k, in order",
                    raw = "xargs -P2 -n1, untouched, mixed";
  add(grouped, {ours, "run", "-q", "-j2"}, Order::grouped, version);
  add(in_order, {ours, "run", "-q", "-k", "-j2"}, Order::kept, version);
  add("bulkhead run -j2 -u, untouched", {ours, "run", "-q", "-u", "-j2"}, Order::none, version);
  const std::string floor = "bare relay, whole tasks, no more (the floor)";
  add(floor, {bench::beside("bare_relay"), std::to_string(tasks)}, Order::grouped, "");
  if (bench::is_installed("xargs"))
    add(raw, {"xargs", "-P2", "-n1"}, Order::none, bench::first_line_of("xargs --version"));
  else
    subject.left_out.push_back("xargs: not installed");
  if (bench::is_installed("parallel"))
    add("GNU parallel -j2, grouped", {"parallel", "--will-cite", "-j2"}, Order::grouped,
        bench::first_line_of("parallel --version"));
  else
    subject.left_out.push_back("GNU parallel: not installed");
  for (const std::string& way : {grouped, in_order}) {
    subject.goals.push_back(
        {way + " / xargs", way, bench::Goal::Compare::times, raw, bench::Goal::Bound::at_least, 1, "x"});
    subject.goals.push_back(
        {way + " / floor", way, bench::Goal::Compare::times, floor, bench::Goal::Bound::at_least, 0.95, "x"});
    subject.goals.push_back(
        {way + ", peak", way + ", peak", bench::Goal::Compare::alone, "", bench::Goal::Bound::at_most, 16, "MiB"});
  }
  subject.goals.push_back(
      {"floor / xargs", floor, bench::Goal::Compare::times, raw, bench::Goal::Bound::at_least, 1, "x"});
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, output); }
