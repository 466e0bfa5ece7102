#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/dataset/latents.h"
#include "sdx/dataset/portraits.h"
#include "sdx/dataset/templates.h"

namespace sdx {

/// What a tool is told about a folder of pictures.
struct PortraitInput {
  SubjectKind kind = SubjectKind::kPerson;  ///< what the pictures have in common
  std::optional<Crop> crop;   ///< nothing: faces for persons, the middle for objects and styles
  PortraitOptions portraits;  ///< size_px and crop are set by load_input()
  LatentOptions latents;
  std::string templates_file;  ///< empty: those of the kind
  std::string face_network;    ///< folder; empty: see FaceNetwork::installed()
  std::string face_detector;   ///< YuNet's file; empty: see FaceFinder::installed()
};

/// --kind, --templates, --crop, --face, --mirror, --mask, --face-detector, --face-network,
/// --strict, in group
/// "Input".
void add_portrait_options(OptionTable& table, PortraitInput& input);

/// Loads the portraits of `folder` for the bundle, flags strays, and shows the table of the folder:
/// one line a file, and one JSON object a file with --json.
/// @param identity may be null: then there are no strays, and --face match takes the largest.
/// @throws as load_portraits, FaceFinder::installed and check_enough_portraits.
std::vector<Portrait> load_input(const std::string& folder, PortraitInput& input,
                                 const Bundle& bundle, const IdentityEncoder* identity,
                                 const CommonOptions& common);

/// The sentences of --templates or, without, of --kind.
std::vector<std::string> input_templates(const PortraitInput& input);

}  // namespace sdx
