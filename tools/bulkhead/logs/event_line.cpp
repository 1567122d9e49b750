#include "logs/event_line.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

namespace bulkhead::tool {

namespace {

using Json = nlohmann::json;

struct Member {
  std::string_view name;
  std::string EventLine::*text = nullptr;
  double EventLine::*seconds = nullptr;
  std::int64_t EventLine::*number = nullptr;
};

constexpr std::array members{
    Member{.name = "event", .text = &EventLine::event},
    Member{.name = "time", .seconds = &EventLine::time},
    Member{.name = "seq", .number = &EventLine::seq},
    Member{.name = "attempt", .number = &EventLine::attempt},
    Member{.name = "slot", .number = &EventLine::slot},
    Member{.name = "record", .text = &EventLine::record},
    Member{.name = "command", .text = &EventLine::command},
    Member{.name = "ending", .text = &EventLine::ending},
    Member{.name = "words", .text = &EventLine::words},
    Member{.name = "started", .seconds = &EventLine::started},
    Member{.name = "ran", .seconds = &EventLine::ran},
    Member{.name = "max_rss", .number = &EventLine::max_rss},
    Member{.name = "output_bytes", .number = &EventLine::output_bytes},
    Member{.name = "error_tail", .text = &EventLine::error_tail},
    Member{.name = "version", .number = &EventLine::version},
    Member{.name = "run_id", .text = &EventLine::run_id},
    Member{.name = "jobs", .number = &EventLine::jobs},
    Member{.name = "tool", .text = &EventLine::tool},
    Member{.name = "joblog", .text = &EventLine::joblog},
    Member{.name = "wall", .seconds = &EventLine::wall},
    Member{.name = "leaked", .number = &EventLine::leaked},
    Member{.name = "exit_status", .number = &EventLine::exit_status},
};

// Called by the parser with one piece after the other. What stands deeper than in the object itself is passed over,
// but for the frames of the backtrace.
class Pieces : public nlohmann::json_sax<Json> {
 public:
  explicit Pieces(EventLine& into) : line_(into) {}
  const std::string& wrong() const noexcept { return wrong_; }

  bool null() override { return depth_ > 0 || refuse_bare(); }
  bool boolean(bool) override {
    return take("true or false", [] { return false; });
  }
  bool number_integer(number_integer_t value) override {
    return take("a number", [&] { return put(&Member::number, value) || put(&Member::seconds, double(value)); });
  }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr number_unsigned_t most = std::numeric_limits<number_integer_t>::max();
    return number_integer(static_cast<number_integer_t>(std::min(value, most)));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return take("a fraction", [&] { return put(&Member::seconds, value); });
  }
  bool string(string_t& value) override {
    if (in_backtrace_ && depth_ == 2) (line_.stack += line_.stack.empty() ? "" : "\n") += value;
    return take("a text", [&] { return put(&Member::text, std::move(value)); });
  }
  bool binary(binary_t&) override { return true; }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    in_backtrace_ = name == "backtrace";
    const auto found = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
    member_ = found == members.end() ? nullptr : &*found;
    return true;
  }
  bool start_object(std::size_t) override { return opens(depth_ > 0) && ++depth_ > 0; }
  bool start_array(std::size_t) override { return opens(true) && ++depth_ > 0; }
  bool end_object() override { return --depth_ >= 0; }
  bool end_array() override { return --depth_ >= 0; }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    wrong_ = "it is no JSON from column " + std::to_string(position) + " on";
    return false;
  }

 private:
  template <class Take>
  bool take(const char* found, Take put_it) {
    if (depth_ == 0) return refuse_bare();
    return depth_ > 1 || member_ == nullptr || put_it() || refuse(found);
  }
  template <class Value>
  bool put(Value EventLine::*Member::*place, Value value) {
    if (member_->*place == nullptr) return false;
    line_.*(member_->*place) = std::move(value);
    return true;
  }
  bool opens(bool inside) {
    return !inside || take("a list or an object", [] { return false; });
  }
  bool refuse(const char* found) {
    wrong_ = "\"" + std::string(member_->name) + "\" is " + found;
    return false;
  }
  bool refuse_bare() {
    wrong_ = "it is no JSON object";
    return false;
  }

  EventLine& line_;
  const Member* member_ = nullptr;
  bool in_backtrace_ = false;
  int depth_ = 0;
  std::string wrong_;
};

}  // namespace

std::string EventLine::read(const std::string& line) {
  *this = EventLine();
  Pieces pieces(*this);
  Json::sax_parse(line, &pieces);
  if (!pieces.wrong().empty()) return pieces.wrong();
  return event.empty() ? "it names no \"event\"" : std::string();
}

}  // namespace bulkhead::tool
