#include "sdx/training/learning_rate.h"

#include <charconv>
#include <cmath>
#include <numbers>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kCosine = " cosine";

template <typename Number>
Number parse_positive(std::string_view text, std::string_view what, std::string_view whole) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) ||
      !std::isfinite(static_cast<double>(value))) {
    throw UsageError("`lr` \"" + std::string(whole) + "\": expected a " + std::string(what) +
                     " above 0, found \"" + std::string(text) +
                     "\"; for example 0.005, \"0.005 cosine\" or \"0.05:10, 0.02:20, 0.005\"");
  }
  return value;
}

}  // namespace

LearningRate LearningRate::parse(std::string_view text) {
  LearningRate result;
  result.text_ = trim(text);
  std::string_view rates = result.text_;
  if (rates.ends_with(kCosine)) {
    result.cosine_ = true;
    rates.remove_suffix(kCosine.size());
  }
  int last_step = 0;
  const std::vector<std::string> pieces = split_list(rates, ',');
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string& piece = pieces[i];
    const std::size_t colon = piece.find(':');
    const bool is_last = i + 1 == pieces.size();
    if (is_last == (colon != std::string::npos)) {
      throw UsageError("`lr` \"" + result.text_ + "\": expected RATE:STEP pieces and a last RATE " +
                       "without a step, found \"" + piece + "\"");
    }
    Piece parsed;
    parsed.rate = parse_positive<double>(std::string_view(piece).substr(0, colon), "rate", text);
    if (!is_last) {
      parsed.last_step =
          parse_positive<int>(std::string_view(piece).substr(colon + 1), "step", text);
      if (parsed.last_step <= last_step) {
        throw UsageError("`lr` \"" + result.text_ + "\": its steps must grow, found " +
                         std::to_string(parsed.last_step) + " after " + std::to_string(last_step));
      }
      last_step = parsed.last_step;
    }
    result.pieces_.push_back(parsed);
  }
  if (result.pieces_.empty()) parse_positive<double>(rates, "rate", text);
  return result;
}

double LearningRate::at(int step, int steps) const {
  std::size_t i = 0;
  while (pieces_[i].last_step != 0 && step > pieces_[i].last_step) ++i;
  if (!cosine_) return pieces_[i].rate;
  const double done = static_cast<double>(step - 1) / steps;
  return pieces_[i].rate * (1 + std::cos(std::numbers::pi * done)) / 2;
}

}  // namespace sdx
