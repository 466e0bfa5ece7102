#include "sdx/image/identity.h"

#include <numeric>

namespace sdx {

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace sdx
