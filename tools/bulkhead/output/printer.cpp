#include "output/printer.hpp"

#include "output/last_words.hpp"

#include <algorithm>
#include <utility>

namespace bulkhead::tool {

Printer::Printer(const Settings& settings, std::size_t slots, Console& console)
    : console_(console), keep_order_(settings.keep_order), tag_(settings.tag) {
  if (!settings.tag_format.empty())
    tag_format_.emplace(std::vector<std::string>{settings.tag_format},
                        TemplateRules{.columns = settings.columns, .append_record = false});
  if (settings.output != OutputMode::grouped) return;
  for (std::size_t i = 0; i < slots; ++i) slots_.emplace_back();
}

void Printer::claim_rest(Attempt& attempt) {
  if (!stores()) return;
  const SlotFiles& mine = files(attempt.slot);
  attempt.output = {mine.output_end, std::max(mine.output_end, mine.output.size())};
  attempt.error = {mine.error_end, std::max(mine.error_end, mine.error.size())};
  account(attempt);
}

void Printer::account(const Attempt& attempt) {
  if (!stores()) return;
  files(attempt.slot).output_end = std::max(files(attempt.slot).output_end, attempt.output.end);
  files(attempt.slot).error_end = std::max(files(attempt.slot).error_end, attempt.error.end);
}

std::string Printer::error_tail(const Attempt& attempt) const {
  if (!stores() || attempt.error.empty()) return {};
  const std::uint64_t size = std::min<std::uint64_t>(attempt.error.size(), most_last_bytes);
  std::string text(size, '\0');
  text.resize(slots_.at(static_cast<std::size_t>(attempt.slot)).error.read(attempt.error.end - size, text));
  return last_lines(text);
}

std::string Printer::tag_of(const Task& task, int slot) const {
  if (!tag_) return {};
  if (!tag_format_) return joined_record(task) + "\t";
  return tag_format_->text({.fields = task.fields, .sequence = task.sequence, .slot = slot + 1});
}

void Printer::deliver(const Attempt& attempt) {
  std::string tag = tag_of(attempt.task, attempt.slot);
  if (keep_order_ && attempt.task.sequence != next_) {
    held_.emplace(attempt.task.sequence,
                  Held{attempt.slot, attempt.output, attempt.error, attempt.result, std::move(tag)});
    return pass_on();
  }
  print(attempt.slot, attempt.output, attempt.error, attempt.result, tag);
  if (!keep_order_) return;
  ++next_;
  pass_on();
}

// What was held back and whose turn it is now.
void Printer::pass_on() {
  pass_skipped();
  while (!held_.empty() && held_.begin()->first == next_) {
    print(held_.begin()->second);
    held_.erase(held_.begin());
    ++next_;
    pass_skipped();
  }
}

void Printer::skip(std::uint64_t sequence) {
  if (!keep_order_) return;
  if (!skipped_.empty() && skipped_.back().end == sequence)
    ++skipped_.back().end;
  else
    skipped_.push_back({sequence, sequence + 1});
}

void Printer::pass_skipped() {
  if (skipped_.empty() || skipped_.front().begin != next_) return;
  next_ = skipped_.front().end;
  skipped_.pop_front();
}

void Printer::flush() {
  for (const auto& [sequence, held] : held_) print(held);
  held_.clear();
}

void Printer::discard(const Attempt& attempt) {
  if (!stores()) return;
  files(attempt.slot).output.discard(attempt.output);
  files(attempt.slot).error.discard(attempt.error);
}

void Printer::print(const Held& held) { print(held.slot, held.output, held.error, held.result, held.tag); }

void Printer::print(int slot, ByteRange output, ByteRange error, const std::string& result, const std::string& tag) {
  if (!result.empty()) console_.write(Console::Stream::output, tag.empty() ? result : LineTagger(tag).apply(result));
  if (!stores()) return;
  console_.write(Console::Stream::output, files(slot).output, output, tag);
  console_.write(Console::Stream::error, files(slot).error, error, tag);
}

void Printer::pass_lines(const Task& task, int slot, int channel, std::string_view lines) {
  std::string text = LineTagger(tag_of(task, slot)).apply(lines);
  if (!text.ends_with('\n')) text += '\n';  // else the next task's line would continue this one
  console_.write(channel == 2 ? Console::Stream::error : Console::Stream::output, text);
}

}  // namespace bulkhead::tool
