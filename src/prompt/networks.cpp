#include "sdx/prompt/networks.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "sdx/util/error.h"
#include "sdx/util/settings_table.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

constexpr std::string_view kBeginnings[] = {"<lora:", "<lyco:"};

std::string_view beginning(std::string_view tag) {
  for (const std::string_view one : kBeginnings) {
    if (tag.starts_with(one)) return one;
  }
  return {};
}

[[noreturn]] void fail(const NetworkTag& tag, const std::string& reason) {
  throw UsageError(
      in_quotes(tag.written) + ": " + reason +
      "; expected <lora:NAME:STRENGTH>, or two strengths: of the text encoders, of the "
      "UNet");
}

double parse_strength(const NetworkTag& tag, const std::string& text) {
  const auto value = settings_detail::read_number<double>(text);
  if (value && std::isfinite(*value)) return *value;
  fail(tag, "the strength " + in_quotes(text) + " is no number");
}

/// What stands behind the name.
void read_strengths(NetworkTag& tag, const std::vector<std::string>& pieces) {
  std::vector<double> positional;
  std::optional<double> text;
  std::optional<double> unet;
  for (const std::string& piece : pieces) {
    const std::size_t equals = piece.find('=');
    if (equals == piece.npos) {
      positional.push_back(parse_strength(tag, piece));
      continue;
    }
    const std::string key = trim(piece.substr(0, equals));
    if (key != "te" && key != "unet") {
      fail(tag, in_quotes(key) + " is not known here; te= and unet= are");
    }
    (key == "te" ? text : unet) = parse_strength(tag, trim(piece.substr(equals + 1)));
  }
  if (positional.size() > 2) fail(tag, "has " + std::to_string(positional.size()) + " strengths");
  tag.text = text.value_or(positional.empty() ? 1 : positional.front());
  tag.unet = unet.value_or(positional.size() < 2 ? tag.text : positional.back());
}

/// The pieces between colons, without blanks around them, empty ones as well.
std::vector<std::string> split_at_colons(std::string_view text) {
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    pieces.push_back(trim(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return pieces;
}

bool is_strength(const std::string& piece) {
  return piece.starts_with("te=") || piece.starts_with("unet=") ||
         settings_detail::read_number<double>(piece).has_value();
}

}  // namespace

std::size_t find_network_length(std::string_view text, std::size_t start) {
  const std::string_view tag = text.substr(start);
  if (beginning(tag).empty()) return 0;
  const std::size_t end = tag.find_first_of("<>\n", 1);
  return end != tag.npos && tag[end] == '>' ? end + 1 : 0;
}

std::vector<NetworkTag> list_networks(std::string_view text) {
  std::vector<NetworkTag> tags;
  for (std::size_t i = text.find('<'); i < text.size(); i = text.find('<', i + 1)) {
    const std::size_t length = find_network_length(text, i);
    if (length == 0) continue;
    NetworkTag tag;
    tag.written = text.substr(i, length);
    const std::size_t begin = beginning(tag.written).size();
    std::vector<std::string> pieces =
        split_at_colons(std::string_view(tag.written).substr(begin, length - begin - 1));
    tag.name = pieces.front();
    if (tag.name.empty()) fail(tag, "has no name");
    pieces.erase(pieces.begin());
    read_strengths(tag, pieces);
    tags.push_back(std::move(tag));
  }
  return tags;
}

std::string without_networks(std::string_view text) {
  std::string rest;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = text[i] == '<' ? find_network_length(text, i) : 0;
    if (length == 0) rest += text[i];
    i += std::max<std::size_t>(length, 1);
  }
  return rest;
}

std::string write_network(const std::string& name, double text, double unet) {
  return "<lora:" + name + ":" + exact_number(text) +
         (text == unet ? "" : ":" + exact_number(unet)) + ">";
}

NetworkTag parse_network(std::string_view text) {
  NetworkTag tag;
  tag.written = text;
  std::vector<std::string> strengths;
  std::string_view rest = text;
  for (std::size_t colon = rest.rfind(':'); colon != rest.npos && colon > 0;
       colon = rest.rfind(':')) {
    std::string piece = trim(rest.substr(colon + 1));
    if (!is_strength(piece)) break;
    strengths.insert(strengths.begin(), std::move(piece));
    rest = rest.substr(0, colon);
  }
  tag.name = trim(rest);
  if (tag.name.empty()) fail(tag, "has no name");
  read_strengths(tag, strengths);
  return tag;
}

}  // namespace sdx
