#include "sdx/prompt/single_name.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "prompt/placeholders.h"
#include "sdx/embedding/embedding.h"
#include "sdx/prompt/networks.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// A stretch of a text as it is written; of a placeholder its name, too.
struct Piece {
  std::string written;
  std::string name;  ///< empty: text
};

std::vector<Piece> split_pieces(const std::string& text, const EmbeddingSizes& known) {
  std::vector<Piece> pieces;
  const auto add_text = [&pieces](std::string_view letters) {
    if (pieces.empty() || !pieces.back().name.empty()) pieces.push_back({});
    pieces.back().written += letters;
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t network = find_network_length(text, i);
    const Placeholder found = network > 0 ? Placeholder() : find_placeholder(text, i, known);
    const std::size_t length = std::max<std::size_t>({network, found.length, 1});
    if (found.length > 0) {
      pieces.push_back({text.substr(i, length), found.name});
    } else {
      add_text(std::string_view(text).substr(i, length));
    }
    i += length;
  }
  return pieces;
}

/// Whether a text between two names only joins them.
bool joins_names(const std::string& text) {
  constexpr std::array<std::string_view, 8> kJoints = {",",   ";",     "&",    "+",
                                                       "and", ", and", "with", "/"};
  const std::string joint = lower_case(trim(text));
  return std::find(kJoints.begin(), kJoints.end(), joint) != kJoints.end();
}

/// Where the row of names ends that begins at a piece: behind its last name.
std::size_t find_row_end(const std::vector<Piece>& pieces, std::size_t begin) {
  std::size_t end = begin + 1;
  while (end + 1 < pieces.size() && pieces[end].name.empty() && joins_names(pieces[end].written) &&
         !pieces[end + 1].name.empty()) {
    end += 2;
  }
  return end;
}

}  // namespace

std::string keep_one_name(const std::string& text, const std::string& kept,
                          const std::vector<std::string>& others, const EmbeddingSizes& known) {
  const auto is_other = [&others](const std::string& name) {
    return std::any_of(others.begin(), others.end(),
                       [&](const std::string& other) { return is_same_name(name, other); });
  };
  const std::vector<Piece> pieces = split_pieces(text, known);
  std::string result;
  for (std::size_t i = 0; i < pieces.size();) {
    if (pieces[i].name.empty()) {
      result += pieces[i++].written;
      continue;
    }
    const std::size_t end = find_row_end(pieces, i);
    std::string row;
    for (std::size_t at = i; at < end; at += 2) {
      if (is_other(pieces[at].name)) continue;
      row += (row.empty() ? "" : pieces[at - 1].written) + pieces[at].written;
    }
    result += row.empty() ? placeholder(kept) : row;
    i = end;
  }
  return result;
}

}  // namespace sdx
