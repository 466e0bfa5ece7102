#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// How large a step of Adam is, over the course of a training. Written as on the command line:
///
///     0.005                    the same in every step
///     0.005 cosine             from 0.005 down to 0 along half a cosine, over all steps
///     0.05:10, 0.02:20, 0.005  0.05 up to and including step 10, 0.02 up to step 20, then 0.005
class LearningRate {
 public:
  /// @throws UsageError saying which part of `text` is wrong; a rate must be above 0, the steps
  ///         must grow, and only the last piece has none.
  static LearningRate parse(std::string_view text);

  /// @param step  1 … steps  @param steps of the whole training, for the cosine
  double at(int step, int steps) const;

  const std::string& text() const { return text_; }

 private:
  struct Piece {
    double rate = 0;
    int last_step = 0;  ///< 0: to the end
  };

  std::string text_;
  std::vector<Piece> pieces_;
  bool cosine_ = false;
};

}  // namespace sdx
