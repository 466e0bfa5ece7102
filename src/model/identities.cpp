#include "sdx/model/identities.h"

namespace sdx {

Identities Identities::installed(const Bundle& bundle, c10::Device device,
                                 const std::filesystem::path& face_network) {
  return {FaceNetwork::installed(face_network), IdentityNetwork::of(bundle, device)};
}

std::vector<const IdentityEncoder*> Identities::all() const {
  std::vector<const IdentityEncoder*> encoders;
  if (photographs) encoders.push_back(&*photographs);
  if (own) encoders.push_back(own.get());
  return encoders;
}

}  // namespace sdx
