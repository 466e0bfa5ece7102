#pragma once

#include <memory>

#include "sdx/device/device.h"
#include "sdx/image/identity.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// The network of a bundle that tells the model's own people apart.
class IdentityNetwork : public IdentityEncoder {
 public:
  /// The bundle's, or nothing if it has none (bundles of published models have none).
  /// @throws DataError if a file of the bundle is damaged.
  static std::unique_ptr<IdentityNetwork> of(const Bundle& bundle, c10::Device device);
  ~IdentityNetwork() override;

  /// Scales the picture to the network's size; sees a person in every picture.
  std::optional<std::vector<float>> encode(const Image& image) const override;
  double same_person_cosine() const override;

 private:
  struct Impl;
  explicit IdentityNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
