#include "sdx/image/identity.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace sdx {

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<float> unit_mean(const std::vector<std::vector<float>>& vectors) {
  std::vector<float> mean(vectors.empty() ? 0 : vectors.front().size());
  for (const auto& vector : vectors) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += vector[i];
  }
  const auto length = static_cast<float>(std::sqrt(std::max(cosine(mean, mean), 1e-12)));
  for (float& value : mean) value /= length;
  return mean;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
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
