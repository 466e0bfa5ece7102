#pragma once

namespace sdx {

/// A step from level `from` to `to` in two parts.
struct AncestralSplit {
  double down;  ///< the level to which the model leads
  double up;    ///< the deviation of the noise that is added; down² + up² = to²
};

/// As much noise as the training's own forward process put between the two levels.
/// @param to 0 … from.
AncestralSplit ancestral_split(double from, double to);

}  // namespace sdx
