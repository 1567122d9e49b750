// Records, from files, standard input and the command line: bytes of any kind and length, read as they are consumed.
#pragma once

#include <bulkhead/byte_pattern.hpp>
#include <bulkhead/byte_source.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// What a source has to say now.
enum class Fetch {
  record,   ///< here is one
  pending,  ///< none yet, and getting one could take time
  end,
};

/// Cuts bytes into records. Holds no more than the longest record and one read.
class RecordReader {
 public:
  RecordReader(ByteSource source, std::string delimiter);

  /// `may_wait`: never pending. Throws std::system_error naming the file.
  Fetch next(std::string& record, bool may_wait);
  int descriptor() const noexcept { return source_.descriptor(); }

 private:
  void read_more();

  ByteSource source_;
  std::string delimiter_;
  std::string buffer_;
  std::size_t begin_ = 0;     // of the record that is being looked for
  std::size_t searched_ = 0;  // no delimiter begins before here
  bool ended_ = false;
};

/// One source as the command line names it.
struct SourceSpec {
  bool linked = false;  ///< taken in step with the one before
  bool is_file = false;
  std::string file{};                 ///< "-": standard input
  std::vector<std::string> values{};  ///< of a ::: list
};

/// The words of a command line, parted into the command and its sources.
struct CommandLine {
  std::vector<std::string> command;
  std::vector<SourceSpec> sources;
};
CommandLine part_sources(const std::vector<std::string>& words);

/// How the bytes of a source become fields.
struct RecordRules {
  std::string delimiter = "\n";
  std::shared_ptr<const BytePattern> column_separator{};  ///< --colsep; null: a record is one field
  bool header = false;                                    ///< the first record of every source names its columns
  bool keep_text = false;                                 ///< text() and header_text() are wanted
};

/// The records that several sources make together, each with a field per source: linked ones in step, the others
/// multiplied, the last varying fastest. The first is read as it is consumed; those it is multiplied with are read
/// whole when the first record is asked for.
class RecordStream {
 public:
  /// Throws UsageError where sources cannot be combined or opened.
  RecordStream(const std::vector<SourceSpec>& sources, const RecordRules& rules);

  /// The columns' names where there is a header; empty otherwise. The first call waits for them, and comes before the
  /// first next(). Throws UsageError naming a file that cannot be read.
  const std::vector<std::string>& columns();

  /// `fields` may be those of an earlier record: their memory is used again.
  Fetch next(std::vector<std::string>& fields, bool may_wait);
  /// The record that next() gave last as it was read; where there are several sources, their texts with TABs between.
  const std::string& text() const noexcept { return text_; }
  /// The records that columns() took the names from, in the same way.
  const std::string& header_text() const noexcept { return header_text_; }
  /// What to poll while next() is pending.
  int descriptor() const noexcept;
  /// How many records there are, where that is known without reading.
  std::optional<std::uint64_t> total() const noexcept;

 private:
  struct Column {
    std::vector<std::string> values{};
    std::size_t at = 0;
    std::optional<RecordReader> reader{};
    std::vector<std::string> fields{};  // of the record that was fetched; its neighbours in the row may be pending
    bool fetched = false;
    std::string text{};  // that it was split from, where it is kept

    Fetch fetch(const RecordRules& rules, bool may_wait);
  };
  struct Row {
    std::vector<std::string> fields{};
    std::string text{};
  };
  struct Group {
    std::vector<Column> columns{};
    std::vector<Row> rows{};  // read whole, except in the first group
  };

  Fetch fetch_header(Column& column);
  Fetch next_row(Group& group, Row& row, bool may_wait);
  void load_repeated();
  bool advance();

  RecordRules rules_;
  std::vector<std::string> column_names_;
  std::vector<Group> groups_;
  Row first_row_;
  std::string text_, header_text_;
  std::vector<std::size_t> odometer_;  // a row of each group but the first
  bool loaded_ = false, in_row_ = false;
  int waiting_for_ = -1;
};

}  // namespace bulkhead::tool
