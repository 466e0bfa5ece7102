#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdx {

enum class CurveStyle {
  kLine,   ///< with a dot for each point where there are few
  kFaint,  ///< measurements behind a line that smooths them
};

enum class AxisScale { kLinear, kLogarithmic };

struct Curve {
  std::string label;
  std::map<int, double> points;  ///< by step
  CurveStyle style = CurveStyle::kLine;
};

/// Curves over the steps of a run.
struct Chart {
  std::string title;
  std::string unit;  ///< of the vertical axis
  std::vector<Curve> curves;
  AxisScale scale = AxisScale::kLinear;  ///< kLogarithmic only where all values are positive
  std::optional<int> marked_step = {};   ///< drawn as a line, called "kept"
};

/// A `<figure>` with its title, legend and an inline SVG that scales with the page; a description
/// in words serves those who cannot see it. Nothing where no curve has a point.
std::string render_chart(const Chart& chart);

/// Chooses the marks of an axis from `low` to `high`. They are about `count` multiples of 1, 2 or 5
/// × 10ⁿ.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace sdx
