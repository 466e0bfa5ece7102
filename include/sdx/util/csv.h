#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

struct CsvRow {
  int line = 0;                     ///< where it begins in the file, counted from 1
  std::vector<std::string> fields;  ///< without their quotes; blanks stay
};

/// A file whose first row names the columns.
struct CsvTable {
  std::filesystem::path path;  ///< for messages
  std::vector<std::string> columns;
  std::vector<CsvRow> rows;  ///< each with as many fields as there are columns

  /// The number of a column.
  /// @throws DataError naming the columns that there are.
  std::size_t column(std::string_view name) const;
};

/// Rows of comma-separated values: fields in double quotes may hold commas, line breaks and doubled
/// quotes; a quote inside a field that doesn't begin with one is a letter. Lines end with LF, CRLF
/// or CR; blank lines are skipped, and so is a byte-order mark.
/// Source: RFC 4180.
/// @throws DataError with `path` and the line: a quote that is never closed, text after a closing
///         quote.
std::vector<CsvRow> parse_csv(std::string_view text, const std::filesystem::path& path);

/// Reads a table. Short rows are filled up with empty fields.
/// @throws as parse_csv; DataError for a file without rows and, with its line, for a row with more
///         fields than there are columns (usually a comma that wants quotes); as read_file.
CsvTable read_csv(const std::filesystem::path& path);

}  // namespace sdx
