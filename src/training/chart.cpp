#include "training/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sdx/util/html.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

// In the units of the SVG's view box; the page scales it.
constexpr double kWidth = 440;
constexpr double kHeight = 256;
constexpr double kLeft = 56;
constexpr double kRight = 14;
constexpr double kTop = 34;
constexpr double kBottom = 40;
/// Dots show where few measurements are; more would hide the line.
constexpr std::size_t kMostDots = 40;
/// More points than there are pixels only make the file large.
constexpr std::size_t kMostPoints = 1500;

std::string coordinate(double value) { return fixed_number(value, 1); }

/// Where values lie in the picture.
class Axes {
 public:
  explicit Axes(const Chart& chart) : scale_(chart.scale) {
    for (const Curve& curve : chart.curves) {
      for (const auto& [step, value] : curve.points) {
        last_step_ = std::max(last_step_, step);
        low_ = std::min(low_, scaled(value));
        high_ = std::max(high_, scaled(value));
      }
    }
    // Room above and below; a constant gets an axis around it.
    const double margin =
        high_ > low_ ? 0.08 * (high_ - low_) : std::max(0.1 * std::abs(high_), 1e-9);
    const bool from_zero = scale_ == AxisScale::kLinear && low_ >= 0 && low_ < margin;
    low_ = from_zero ? 0 : low_ - margin;
    high_ += margin;
  }

  double x(double step) const {
    return kLeft + (kWidth - kLeft - kRight) * step / std::max(last_step_, 1);
  }
  double y(double value) const {
    return kTop + (kHeight - kTop - kBottom) * (high_ - scaled(value)) / (high_ - low_);
  }

  std::vector<double> step_ticks() const { return axis_ticks(0, std::max(last_step_, 1), 5); }

  std::vector<double> value_ticks() const {
    if (scale_ == AxisScale::kLinear) return axis_ticks(low_, high_, 5);
    constexpr double kFewDecades = 2;
    std::vector<double> ticks;
    for (double decade = std::floor(low_); decade <= high_; ++decade) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor > 1 && high_ - low_ > kFewDecades) continue;
        const double value = factor * std::pow(10, decade);
        if (scaled(value) >= low_ && scaled(value) <= high_) ticks.push_back(value);
      }
    }
    return ticks;
  }

 private:
  double scaled(double value) const {
    return scale_ == AxisScale::kLinear ? value : std::log10(value);
  }

  AxisScale scale_;
  int last_step_ = 0;
  double low_ = std::numeric_limits<double>::max();
  double high_ = std::numeric_limits<double>::lowest();
};

std::string text(double x, double y, const char* classes, const std::string& content) {
  return "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" class=\"" + classes +
         "\">" + escape_html(content) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* classes) {
  return "<path class=\"" + std::string(classes) + "\" d=\"M" + coordinate(x1) + " " +
         coordinate(y1) + "L" + coordinate(x2) + " " + coordinate(y2) + "\"/>\n";
}

std::string draw_axes(const Axes& axes, const std::string& unit) {
  std::string svg;
  const double bottom = kHeight - kBottom;
  for (const double value : axes.value_ticks()) {
    svg += line(kLeft, axes.y(value), kWidth - kRight, axes.y(value), "grid");
    svg += text(kLeft - 8, axes.y(value) + 4, "tick end", short_number(value));
  }
  svg += line(kLeft, bottom, kWidth - kRight, bottom, "axis");
  for (const double step : axes.step_ticks()) {
    svg += line(axes.x(step), bottom, axes.x(step), bottom + 4, "axis");
    svg += text(axes.x(step), bottom + 18, "tick middle", short_number(step, 7));
  }
  svg += text(kLeft, 14, "unit", unit);
  svg += text(kWidth - kRight, kHeight - 2, "unit end", "step");
  return svg;
}

std::string draw_curve(const Curve& curve, const Axes& axes, const std::string& classes) {
  if (curve.points.empty()) return "";
  const std::size_t stride = curve.points.size() / kMostPoints + 1;
  const int last = curve.points.rbegin()->first;
  std::string path;
  std::string dots;
  std::size_t index = 0;
  for (const auto& [step, value] : curve.points) {
    if (index++ % stride != 0 && step != last) continue;
    const std::string x = coordinate(axes.x(step));
    const std::string y = coordinate(axes.y(value));
    path.append(path.empty() ? "M" : "L").append(x).append(" ").append(y);
    if (curve.points.size() > kMostDots) continue;
    dots += "<circle class=\"" + classes + "\" cx=\"" + x + "\" cy=\"" + y +
            "\" r=\"2.6\"><title>" + escape_html(curve.label) + " " + short_number(value) +
            " at step " + std::to_string(step) + "</title></circle>\n";
  }
  return "<path class=\"curve " + classes + "\" d=\"" + path + "\"/>\n" + dots;
}

std::string draw_mark(int step, const Axes& axes) {
  const double x = axes.x(step);
  const bool in_right_half = x > (kLeft + kWidth) / 2;
  return line(x, kTop - 8, x, kHeight - kBottom, "mark") +
         text(in_right_half ? x - 5 : x + 5, kTop - 1, in_right_half ? "marked end" : "marked",
              "kept: step " + std::to_string(step));
}

/// The chart in words.
std::string describe(const Chart& chart) {
  std::string words;
  for (const Curve& curve : chart.curves) {
    if (curve.points.empty() || curve.style == CurveStyle::kFaint) continue;
    const auto by_value = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto [least, most] =
        std::minmax_element(curve.points.begin(), curve.points.end(), by_value);
    const auto at = [](const auto& point) {
      return short_number(point.second) + " at step " + std::to_string(point.first);
    };
    words += curve.label + ": from " + at(*curve.points.begin()) + " to " +
             at(*curve.points.rbegin()) + "; lowest " + at(*least) + ", highest " + at(*most) +
             ". ";
  }
  if (chart.marked_step) words += "Kept: step " + std::to_string(*chart.marked_step) + ".";
  return words;
}

/// A faint curve has the colour of the line that follows it.
std::string color_class(const Chart& chart, std::size_t index) {
  const auto lines_before =
      std::count_if(chart.curves.begin(), chart.curves.begin() + static_cast<std::ptrdiff_t>(index),
                    [](const Curve& curve) { return curve.style == CurveStyle::kLine; });
  const bool faint = chart.curves[index].style == CurveStyle::kFaint;
  return "c" + std::to_string(lines_before) + (faint ? " faint" : "");
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * decade;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * decade >= rough * 0.999) {
      step = factor * decade;
      break;
    }
  }
  std::vector<double> ticks;
  for (auto i = static_cast<std::int64_t>(std::ceil(low / step - 1e-9));
       static_cast<double>(i) * step <= high + 1e-9 * step; ++i) {
    ticks.push_back(static_cast<double>(i) * step);
  }
  return ticks;
}

std::string render_chart(const Chart& chart) {
  const bool empty = std::all_of(chart.curves.begin(), chart.curves.end(),
                                 [](const Curve& curve) { return curve.points.empty(); });
  if (empty) return "";
  const Axes axes(chart);
  std::string legend;
  std::string curves;
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    const Curve& curve = chart.curves[i];
    if (curve.points.empty()) continue;
    const std::string classes = color_class(chart, i);
    legend += "<li class=\"" + classes + "\">" + escape_html(curve.label) + "</li>";
    curves += draw_curve(curve, axes, classes);
  }
  std::string html = "<figure class=\"chart\">\n<figcaption>" + escape_html(chart.title);
  if (chart.curves.size() > 1) html += "<ul class=\"legend\">" + legend + "</ul>";
  html += "</figcaption>\n<svg viewBox=\"0 0 " + short_number(kWidth) + " " +
          short_number(kHeight) + "\" role=\"img\" aria-label=\"" +
          escape_html(chart.title + ". " + describe(chart)) + "\">\n" + draw_axes(axes, chart.unit);
  if (chart.marked_step) html += draw_mark(*chart.marked_step, axes);
  return html + curves + "</svg>\n</figure>\n";
}

}  // namespace sdx
