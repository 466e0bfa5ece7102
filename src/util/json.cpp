#include "sdx/util/json.h"

#include <algorithm>
#include <string_view>

#include "sdx/util/text_file.h"

namespace sdx {
namespace {

constexpr std::size_t kMaxJsonBytes = std::size_t{64} << 20U;
// Printing a value recurses, so a file of a million brackets would overflow the stack.
constexpr int kMaxJsonDepth = 100;

/// Where the `byte`th byte of `text` is, counted from 1. The parser's own count says column 0 where
/// the fault ends a line.
std::string describe_place(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_begin = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " +
         std::to_string(before.size() - line_begin + 1);
}

/// "[json.exception.parse_error.101] parse error at line 3, column 0: reason" without what precedes
/// the reason.
std::string extract_reason(std::string_view what) {
  const std::size_t place = what.find("parse error at ");
  const std::size_t colon = place == what.npos ? what.npos : what.find(": ", place);
  return std::string(colon == what.npos ? what : what.substr(colon + 2));
}

template <typename AnyJson>
AnyJson read_as(const std::filesystem::path& path) {
  const std::string text = read_text_file(path, kMaxJsonBytes);
  const auto check_depth = [&path](int depth, typename AnyJson::parse_event_t, AnyJson&) {
    if (depth > kMaxJsonDepth) {
      throw DataError(path.string() + ": nested more than " + std::to_string(kMaxJsonDepth) +
                      " levels deep");
    }
    return true;
  };
  try {
    return AnyJson::parse(text, check_depth);
  } catch (const typename AnyJson::parse_error& error) {
    throw DataError(path.string() + ": not valid JSON: " + describe_place(text, error.byte) + ": " +
                    extract_reason(error.what()));
  } catch (const typename AnyJson::exception& error) {  // a number beyond what a double holds
    throw DataError(path.string() + ": not valid JSON: " + error.what());
  }
}

}  // namespace

Json read_json_file(const std::filesystem::path& path) { return read_as<Json>(path); }

nlohmann::json read_large_json_file(const std::filesystem::path& path) {
  return read_as<nlohmann::json>(path);
}

}  // namespace sdx
