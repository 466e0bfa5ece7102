#include "generation/face_options.h"

#include "generation/size_text.h"
#include "sdx/prompt/networks.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

using enum InfotextPlace;

constexpr double kMostBlur_px = 200;

bool refines_faces(const ImageOptions& options) { return options.settings.faces.refine; }

template <typename Pointer>
auto face_member(Pointer pointer) {
  return nested(&ImageOptions::settings, &ImageSettings::faces, pointer);
}

}  // namespace

void add_face_settings(SettingsTable<ImageOptions>& table) {
  table.group("Faces");
  table
      .add("refine-faces", face_member(&FaceSettings::refine),
           "Go over each small face of the finished picture, enlarged to the model's size")
      .in_images(kLast, "Refine faces", refines_faces)
      .shown_in_images([](const ImageOptions&) { return std::string("True"); });
  table
      .add("face-prompt", face_member(&FaceSettings::prompt),
           "Prompt for the faces, in which {name} is each one's own; default: the picture's")
      .in_images(kLast, "Face prompt", [](const ImageOptions& options) {
        return refines_faces(options) && !options.settings.faces.prompt.empty();
      });
  table
      .add("face-names", face_member(&FaceSettings::names),
           "Whose face is whose, of several names: left-to-right, or by likeness to what the model "
           "draws for each")
      .in_images(kLast, "Face names", [](const ImageOptions& options) {
        return refines_faces(options) && options.settings.faces.names != FaceNames::kLeftToRight;
      });
  table
      .add("face-strength", face_member(&FaceSettings::strength),
           "How much of a face may change, from 0 to 1")
      .within(0, 1)
      .in_images(kLast, "Face strength", refines_faces);
  table
      .add("face-share", face_member(&FaceSettings::share),
           "Refine the faces that take less than this share of the picture's area, from 0 to 1")
      .within(0, 1)
      .in_images(kLast, "Face share", refines_faces);
  table
      .add("face-confidence", face_member(&FaceSettings::confidence),
           "How sure the face detector has to be, from 0 to 1")
      .within(0, 1)
      .in_images(kLast, "Face confidence", refines_faces);
  table
      .add("face-padding", face_member(&FaceSettings::padding_px),
           "Pixels around a face that the model sees with it")
      .within(0, kMostPixels)
      .in_images(kLast, "Face padding", refines_faces);
  table
      .add("face-blur", face_member(&FaceSettings::blur_px),
           "Softness of the edge around a new face, in pixels; 0: hard")
      .within(0, kMostBlur_px)
      .in_images(kLast, "Face blur", refines_faces);
}

void check_face_settings(const ImageRequest& request) {
  const FaceSettings& faces = request.settings.faces;
  if (!faces.refine) {
    if (faces.prompt.empty()) return;
    throw UsageError("`face-prompt` needs `refine-faces`, which goes over the faces");
  }
  if (request.settings.tile) {
    throw UsageError(
        "`tile` and `refine-faces`: a face at an edge would no longer fit the opposite edge; leave "
        "one of them out");
  }
  if (const auto tags = list_networks(faces.prompt); !tags.empty()) {
    throw UsageError("`face-prompt`: " + in_quotes(tags.front().written) +
                     ": the faces have the LoRAs of the picture; name it in the picture's prompt");
  }
}

}  // namespace sdx
