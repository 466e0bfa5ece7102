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

/// The networks of this machine that tell people apart: one for photographs, and the model's own
/// for its cartoons.
struct Identities {
  std::optional<FaceNetwork> photographs;
  std::unique_ptr<IdentityNetwork> own;

  /// @param face_network its folder; empty: see FaceNetwork::installed()
  static Identities installed(const Bundle& bundle, c10::Device device,
                              const std::filesystem::path& face_network = {});

  /// Those that are there, the one for photographs first.
  std::vector<const IdentityEncoder*> all() const;
};

}  // namespace sdx
