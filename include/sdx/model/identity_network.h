#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/image/face_network.h"
#include "sdx/image/identity.h"
#include "sdx/model/bundle.h"
#include "sdx/model/identity_network.h"

namespace sdx {

/// The network of a bundle that tells the model's own people apart.
class IdentityNetwork : public IdentityEncoder {
 public:
  /// The bundle's, or nothing if it has none (bundles of published models have none).
  /// @throws DataError if a file of the bundle is damaged.
  static std::unique_ptr<IdentityNetwork> load(const Bundle& bundle, c10::Device device);
  ~IdentityNetwork() override;

  /// Scales the picture to the network's size; sees a person in every picture.
  std::optional<std::vector<float>> encode(const Image& image) const override;
  double same_person_cosine() const override;

 private:
  struct Impl;
  explicit IdentityNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The networks of this machine that tell people apart: one for photographs, and the model's own
/// for its cartoons.
struct Identities {
  std::optional<FaceNetwork> photographs;
  std::unique_ptr<IdentityNetwork> own;

  /// @param face_network its folder; empty: see FaceNetwork::load_installed()
  static Identities load_installed(const Bundle& bundle, c10::Device device,
                                   const std::filesystem::path& face_network = {});

  /// Those that are there, the one for photographs first.
  std::vector<const IdentityEncoder*> all() const;
};

}  // namespace sdx
