#include "sdx/image/identity.h"

#include <numeric>

namespace sdx {

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

bool are_mostly_one_person(const std::vector<std::vector<float>>& vectors,
                           const IdentityEncoder& encoder) {
  std::size_t pairs = 0;
  std::size_t same = 0;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      ++pairs;
      if (cosine(vectors[i], vectors[j]) >= encoder.same_person_cosine()) ++same;
    }
  }
  return 2 * same > pairs;
}

}  // namespace sdx
