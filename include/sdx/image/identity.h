#pragma once

#include <optional>
#include <vector>

#include "sdx/image/image.h"

namespace sdx {

/// Tells people apart. Two implementations: the built-in model's own network for its cartoons, and
/// a face network for photographs.
class IdentityEncoder {
 public:
  virtual ~IdentityEncoder() = default;

  /// A unit vector of the person in a picture: near for two pictures of one person, whatever the
  /// light, the hat or the background. Nothing if no face is seen.
  virtual std::optional<std::vector<float>> encode(const Image& image) const = 0;

  /// Two pictures of one person are usually above this cosine, of two people below it.
  virtual double same_person_cosine() const = 0;
};

/// The scalar product of two unit vectors of one length: 1 for the same direction.
double cosine(const std::vector<float>& a, const std::vector<float>& b);

/// The direction of the mean of unit vectors of one length; empty for none.
std::vector<float> unit_mean(const std::vector<std::vector<float>>& vectors);

/// The middle one of `values`, of which there must be one; of an even number the upper one of the
/// two in the middle. A few pictures of someone else move a mean of cosines, but not this.
double median(std::vector<double> values);

/// Whether more than half of all pairs are one person to `encoder`. If pictures of one person are
/// not, it does not know such faces, and what it says of them means nothing.
bool are_mostly_one_person(const std::vector<std::vector<float>>& vectors,
                           const IdentityEncoder& encoder);

}  // namespace sdx
