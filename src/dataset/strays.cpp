#include "sdx/dataset/strays.h"

#include <utility>

namespace sdx {

namespace {

constexpr std::size_t kFewestFaces = 4;

}  // namespace

std::vector<std::size_t> flag_strays(std::vector<Portrait>& portraits,
                                     const IdentityEncoder& encoder) {
  std::vector<std::size_t> seen;
  for (std::size_t i = 0; i < portraits.size(); ++i) {
    Portrait& portrait = portraits[i];
    if (!portrait.used()) continue;
    if (portrait.identity.empty()) {
      portrait.identity = encoder.encode(portrait.image).value_or(std::vector<float>());
    }
    if (!portrait.identity.empty()) seen.push_back(i);
  }
  if (seen.size() < kFewestFaces) return {};
  std::vector<std::vector<float>> vectors;
  for (const std::size_t i : seen) vectors.push_back(portraits[i].identity);
  if (!are_mostly_one_person(vectors, encoder)) return {};

  const double threshold = encoder.same_person_cosine();
  std::vector<std::size_t> strays;
  for (const std::size_t i : seen) {
    std::vector<double> cosines;
    for (const std::size_t other : seen) {
      if (other != i) cosines.push_back(cosine(portraits[i].identity, portraits[other].identity));
    }
    if (median(std::move(cosines)) < threshold) strays.push_back(i);
  }
  for (const std::size_t i : strays) portraits[i].is_stray = true;
  return strays;
}

}  // namespace sdx
