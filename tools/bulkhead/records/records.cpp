#include "records/records.hpp"

#include "words/usage_error.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr std::size_t read_size = 64 << 10;
constexpr int reads_in_a_row = 16;  // then others get their turn, however fast the input comes

}  // namespace

RecordReader::RecordReader(ByteSource source, std::string delimiter)
    : source_(std::move(source)), delimiter_(std::move(delimiter)) {}

void RecordReader::read_more() {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
    if (buffer_.capacity() > 16 * read_size && buffer_.size() < read_size) buffer_.shrink_to_fit();
  }
  const std::size_t held = buffer_.size();
  if (buffer_.capacity() < held + read_size) buffer_.reserve(std::max(2 * held, held + read_size));
  buffer_.resize(held + read_size);
  const std::size_t got = source_.read(std::span(buffer_).subspan(held));
  buffer_.resize(held + got);
  ended_ = got == 0;
}

Fetch RecordReader::next(std::string& record, bool may_wait) {
  for (int reads = 0;; ++reads) {
    const std::size_t found = buffer_.find(delimiter_, searched_);
    if (found != std::string::npos) {
      record.assign(buffer_, begin_, found - begin_);
      begin_ = searched_ = found + delimiter_.size();
      return Fetch::record;
    }
    if (ended_) {
      if (begin_ == buffer_.size()) return Fetch::end;
      record.assign(buffer_, begin_);  // the last one needs no terminator
      begin_ = searched_ = buffer_.size();
      return Fetch::record;
    }
    const std::size_t unsure = delimiter_.size() - 1;  // a delimiter may have begun at the very end
    searched_ = std::max(begin_, buffer_.size() > unsure ? buffer_.size() - unsure : 0);
    if (!may_wait && (reads >= reads_in_a_row || !source_.readable())) return Fetch::pending;
    read_more();
  }
}

CommandLine part_sources(const std::vector<std::string>& words) {
  CommandLine line;
  bool in_sources = false, linked = false, files = false;
  for (const std::string& word : words) {
    const bool plus = word.ends_with('+');
    const std::string_view mark = std::string_view(word).substr(0, word.size() - (plus ? 1 : 0));
    if (mark == ":::" || mark == "::::") {
      in_sources = true;
      linked = plus;
      files = mark == "::::";
      if (!files) line.sources.push_back({.linked = linked});
    } else if (!in_sources) {
      line.command.push_back(word);
    } else if (files) {
      line.sources.push_back({.linked = linked, .is_file = true, .file = word});
    } else {
      line.sources.back().values.push_back(word);
    }
  }
  return line;
}

namespace {

ByteSource open_records(const std::string& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    throw UsageError(file + " is a directory; records come from a file, or - for standard input");
  try {
    return ByteSource::open(file);
  } catch (const std::system_error& error) {
    throw UsageError(std::string(error.what()) +
                     "; records come from a file that can be read, or - for standard input");
  }
}

}  // namespace

RecordStream::RecordStream(const std::vector<SourceSpec>& sources, const RecordRules& rules) : rules_(rules) {
  int standard_inputs = 0;
  for (const SourceSpec& source : sources) {
    if (source.linked && groups_.empty())
      throw UsageError(":::+ and ::::+ link to the source before; the first has none");
    Column column{.values = source.values};
    if (source.is_file) {
      const bool standard = source.file == "-";
      if (standard && ++standard_inputs > 1) throw UsageError("standard input (-) can be read by one source only");
      column.reader.emplace(standard ? ByteSource::standard_input() : open_records(source.file), rules.delimiter);
    }
    if (!source.linked) groups_.emplace_back();
    groups_.back().columns.push_back(std::move(column));
  }
}

Fetch RecordStream::Column::fetch(const RecordRules& rules, bool may_wait) {
  if (fetched) return Fetch::record;
  fields.resize(1);
  std::string& value = fields.front();
  if (reader) {
    const Fetch read = reader->next(value, may_wait);
    if (read != Fetch::record) return read;
  } else {
    if (at == values.size()) return Fetch::end;
    value = values[at++];
  }
  if (rules.keep_text) text = value;
  if (rules.column_separator) fields = rules.column_separator->split(value);
  fetched = true;
  return Fetch::record;
}

namespace {

void append_text(std::string& all, bool first, const std::string& text) { all += (first ? "" : "\t") + text; }

}  // namespace

// Without it the rest means nothing: nothing is started, while a later read error leaves what came before.
Fetch RecordStream::fetch_header(Column& column) {
  try {
    return column.fetch(rules_, true);
  } catch (const std::system_error& error) {
    throw UsageError(std::string("--header: ") + error.what());
  }
}

const std::vector<std::string>& RecordStream::columns() {
  if (!std::exchange(rules_.header, false)) return column_names_;
  bool first = true;
  for (Group& group : groups_)
    for (Column& column : group.columns) {
      if (fetch_header(column) != Fetch::record) continue;
      column.fetched = false;
      column_names_.insert(column_names_.end(), column.fields.begin(), column.fields.end());
      append_text(header_text_, std::exchange(first, false), column.text);
    }
  return column_names_;
}

Fetch RecordStream::next_row(Group& group, Row& row, bool may_wait) {
  for (Column& column : group.columns) {
    const Fetch fetched = column.fetch(rules_, may_wait);
    if (fetched == Fetch::pending) waiting_for_ = column.reader->descriptor();
    if (fetched != Fetch::record) return fetched;  // the shortest of them ends the group
  }
  const bool alone = group.columns.size() == 1;
  if (!alone) row.fields.clear();
  row.text.clear();
  for (Column& column : group.columns) {
    column.fetched = false;
    if (alone)
      row.fields.swap(column.fields);
    else
      std::move(column.fields.begin(), column.fields.end(), std::back_inserter(row.fields));
    if (rules_.keep_text) append_text(row.text, &column == &group.columns.front(), column.text);
  }
  return Fetch::record;
}

void RecordStream::load_repeated() {
  Row row;
  for (std::size_t i = 1; i < groups_.size(); ++i)
    while (next_row(groups_[i], row, true) == Fetch::record) groups_[i].rows.push_back(row);
  odometer_.assign(groups_.size() - 1, 0);
  loaded_ = true;
}

// To the next combination of rows; false: all have been had with this first row.
bool RecordStream::advance() {
  for (std::size_t i = odometer_.size(); i-- > 0;) {
    if (++odometer_[i] < groups_[i + 1].rows.size()) return true;
    odometer_[i] = 0;
  }
  return false;
}

Fetch RecordStream::next(std::vector<std::string>& fields, bool may_wait) {
  waiting_for_ = -1;
  columns();
  if (!loaded_) load_repeated();
  const bool barren = std::any_of(groups_.begin() + 1, groups_.end(), [](const Group& g) { return g.rows.empty(); });
  if (barren) return Fetch::end;
  if (!in_row_) {
    const Fetch fetched = next_row(groups_.front(), first_row_, may_wait);
    if (fetched != Fetch::record) return fetched;
    in_row_ = true;
  }
  if (odometer_.empty()) {  // it is wanted once
    in_row_ = false;
    fields.swap(first_row_.fields);
    text_.swap(first_row_.text);
    return Fetch::record;
  }
  fields = first_row_.fields;
  text_ = first_row_.text;
  for (std::size_t i = 0; i < odometer_.size(); ++i) {
    const Row& row = groups_[i + 1].rows[odometer_[i]];
    fields.insert(fields.end(), row.fields.begin(), row.fields.end());
    if (rules_.keep_text) append_text(text_, false, row.text);
  }
  in_row_ = advance();
  return Fetch::record;
}

int RecordStream::descriptor() const noexcept { return waiting_for_; }

std::optional<std::uint64_t> RecordStream::total() const noexcept {
  std::uint64_t product = 1;
  for (const Group& group : groups_) {
    std::uint64_t shortest = UINT64_MAX;
    for (const Column& column : group.columns) {
      if (column.reader) return std::nullopt;
      const std::size_t header = rules_.header && !column.values.empty() ? 1 : 0;
      shortest = std::min<std::uint64_t>(shortest, column.values.size() - std::max(column.at, header));
    }
    if (__builtin_mul_overflow(product, shortest, &product)) product = UINT64_MAX;  // more than will ever be read
  }
  return product;
}

}  // namespace bulkhead::tool
