#include "output/printer.hpp"

#include "output/last_words.hpp"

#include <algorithm>
#include <array>

namespace bulkhead::tool {

std::string LineTagger::apply(std::string_view piece) {
  std::string text;
  while (!piece.empty()) {
    if (at_line_start_) text += tag_;
    const std::size_t newline = piece.find('\n');
    at_line_start_ = newline != std::string_view::npos;
    const std::size_t length = at_line_start_ ? newline + 1 : piece.size();
    text += piece.substr(0, length);
    piece.remove_prefix(length);
  }
  return text;
}

Printer::Printer(const Settings& settings, Console& console)
    : console_(console), keep_order_(settings.keep_order), tag_(settings.tag) {
  if (!settings.tag_format.empty())
    tag_format_.emplace(std::vector<std::string>{settings.tag_format},
                        TemplateRules{.columns = settings.columns, .append_record = false});
  if (settings.output != OutputMode::grouped) return;
  for (std::size_t i = 0; i < settings.jobs; ++i) slots_.emplace_back();
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
  Held held{attempt.slot, attempt.output, attempt.error, attempt.result, tag_of(attempt.task, attempt.slot)};
  if (!keep_order_) return print(held);
  held_.emplace(attempt.task.sequence, std::move(held));
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

void Printer::print(const Held& held) {
  if (!held.result.empty()) console_.write(Console::Stream::output, LineTagger(held.tag).apply(held.result));
  if (!stores()) return;
  print_range(Console::Stream::output, files(held.slot).output, held.output, held.tag);
  print_range(Console::Stream::error, files(held.slot).error, held.error, held.tag);
}

void Printer::print_range(Console::Stream stream, TaskOutput& file, ByteRange range, const std::string& tag) {
  if (range.empty()) return;
  if (tag.empty()) {
    console_.write(stream, file, range);
  } else {
    LineTagger tagger(tag);
    std::array<char, 64 << 10> chunk;
    bool line_open = false;
    for (std::uint64_t at = range.begin; at < range.end;) {
      const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), range.end - at);
      const std::size_t got = file.read(at, std::span(chunk).first(wanted));
      if (got == 0) break;
      console_.write(stream, tagger.apply(std::string_view(chunk.data(), got)));
      line_open = chunk[got - 1] != '\n';
      at += got;
    }
    if (line_open) console_.write(stream, "\n");  // else the next tag would stand inside this line
  }
  file.discard(range);
}

void Printer::pass_lines(const Task& task, int slot, int channel, std::string_view lines) {
  std::string text = LineTagger(tag_of(task, slot)).apply(lines);
  if (!text.ends_with('\n')) text += '\n';  // else the next task's line would continue this one
  console_.write(channel == 2 ? Console::Stream::error : Console::Stream::output, text);
}

}  // namespace bulkhead::tool
