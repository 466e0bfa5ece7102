#include "sdx/util/csv.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/text_file.h"

namespace sdx {

namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, const std::filesystem::path& path)
      : rest_(without_byte_order_mark(text)), path_(path) {}

  std::vector<CsvRow> rows() {
    std::vector<CsvRow> rows;
    while (!rest_.empty()) {
      if (take_line_break()) continue;
      rows.push_back(take_row());
    }
    return rows;
  }

 private:
  CsvRow take_row() {
    CsvRow row{line_, {}};
    while (true) {
      // Some programs put blanks around quotes, where the standard has none.
      const std::size_t blanks = count_blanks();
      const bool is_quoted = rest_.substr(blanks).starts_with('"');
      if (is_quoted) rest_.remove_prefix(blanks);
      row.fields.push_back(is_quoted ? take_quoted() : take_plain());
      if (rest_.empty() || take_line_break()) return row;
      rest_.remove_prefix(1);  // the comma
    }
  }

  std::size_t count_blanks() const {
    return std::min(rest_.find_first_not_of(" \t"), rest_.size());
  }

  std::string take_plain() {
    const std::size_t end = std::min(rest_.find_first_of(",\r\n"), rest_.size());
    std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return field;
  }

  std::string take_quoted() {
    const int first_line = line_;
    std::string field;
    rest_.remove_prefix(1);
    while (true) {
      const std::size_t quote = rest_.find('"');
      if (quote == rest_.npos) fail(first_line, "a quote is opened here and never closed");
      take_text(quote, field);
      rest_.remove_prefix(1);
      if (!rest_.starts_with('"')) break;
      field += '"';
      rest_.remove_prefix(1);
    }
    rest_.remove_prefix(count_blanks());
    if (!rest_.empty() && rest_.find_first_of(",\r\n") != 0) {
      fail(line_, "text after a closing quote; write quotes inside a field twice");
    }
    return field;
  }

  /// Takes `length` bytes, whose line breaks count.
  void take_text(std::size_t length, std::string& field) {
    const std::size_t left = rest_.size() - length;
    while (rest_.size() > left) {
      const std::string_view before = rest_;
      if (!take_line_break()) rest_.remove_prefix(1);
      field += before.substr(0, before.size() - rest_.size());
    }
  }

  bool take_line_break() {
    const std::size_t length = rest_.starts_with("\r\n") ? 2 : 1;
    if (!rest_.starts_with('\r') && !rest_.starts_with('\n')) return false;
    rest_.remove_prefix(length);
    ++line_;
    return true;
  }

  [[noreturn]] void fail(int line, const std::string& reason) const {
    throw DataError(path_.string() + ", line " + std::to_string(line) + ": " + reason);
  }

  std::string_view rest_;
  const std::filesystem::path& path_;
  int line_ = 1;
};

}  // namespace

std::size_t CsvTable::column(std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    throw DataError(path.string() + ": has no column \"" + std::string(name) +
                    "\"; its first line names: " + join(columns, ", "));
  }
  return static_cast<std::size_t>(found - columns.begin());
}

std::vector<CsvRow> parse_csv(std::string_view text, const std::filesystem::path& path) {
  return CsvParser(text, path).rows();
}

CsvTable read_csv(const std::filesystem::path& path) {
  std::vector<CsvRow> rows = parse_csv(read_text_file(path), path);
  if (rows.empty()) throw DataError(path.string() + ": is empty; the first line names the columns");
  CsvTable table{path, {}, {}};
  for (const std::string& name : rows.front().fields) table.columns.push_back(trim(name));
  rows.erase(rows.begin());
  for (CsvRow& row : rows) {
    if (row.fields.size() > table.columns.size()) {
      throw DataError(path.string() + ", line " + std::to_string(row.line) + ": " +
                      std::to_string(row.fields.size()) + " fields for " +
                      std::to_string(table.columns.size()) +
                      " columns; a field with a comma must stand in quotes");
    }
    row.fields.resize(table.columns.size());
  }
  table.rows = std::move(rows);
  return table;
}

}  // namespace sdx
