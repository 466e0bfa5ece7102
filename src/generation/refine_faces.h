#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "generation/face_parts.h"
#include "sdx/device/device.h"
#include "sdx/embedding/embedding_sizes.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/settings.h"
#include "sdx/image/face.h"
#include "sdx/model/bundle.h"
#include "sdx/model/identity_network.h"

namespace sdx {

/// The settings of a face's pass: those of its picture, from `start` at the model's own size, of
/// the part's shape. Without what is done to whole pictures (`hires`, `upscale`, `tile`, a mask).
/// @param start the part; null: nothing to begin with, for a picture of a person alone
ImageSettings make_face_settings(const ImageSettings& picture, const BundleInfo& info,
                                 std::shared_ptr<const StartImage> start);

/// The request of a face's pass, see make_face_settings().
/// @param prompt see make_face_prompt()
ImageRequest make_face_request(const ImageRequest& picture, const BundleInfo& info,
                               const FacePart& part, const std::string& prompt,
                               std::shared_ptr<const StartImage> start);

/// The names that faces may have: those of FaceSettings::prompt, else, and where that has {name},
/// those of the picture's prompt.
std::vector<std::string> list_face_names(const ImageRequest& request, const EmbeddingSizes& known);

/// The prompt of the face of one of these names: FaceSettings::prompt with it in the place of
/// {name}, else that prompt or the picture's without the other names, see keep_one_name().
/// @param name empty if there are none
std::string make_face_prompt(const ImageRequest& request, const std::string& name,
                             const EmbeddingSizes& known);

/// Finds the small faces of pictures, and has each made anew.
class FaceRefiner {
 public:
  /// Makes the picture of a request.
  /// @param done, total requests for this picture so far, and of all its faces
  using Maker =
      std::function<Image(const ImageRequest& request, std::size_t done, std::size_t total)>;

  /// Loads nothing yet. The bundle outlives this.
  FaceRefiner(const Bundle& bundle, c10::Device device) : bundle_(bundle), device_(device) {}

  /// Refuses what cannot be done with a request that has faces refined.
  /// @return the requests of faces that are to be checked as others are
  /// @throws UnavailableError where there is no face detector, or nothing that finds likenesses;
  ///         UsageError for {name} without a name; as FaceFinder::installed() and Identities.
  std::vector<ImageRequest> check(const ImageRequest& request, const EmbeddingSizes& known) const;

  /// Goes over the small faces of a picture. Says so if there are none.
  /// @param what  for messages: "Picture 3"
  /// @param kept  of the picture's size, black where it may not change; null: nowhere
  RefinedFaces refine(Image& picture, const ImageRequest& request, const EmbeddingSizes& known,
                      const std::string& what, const Image* kept, const Maker& make) const;

 private:
  struct Person {
    ImageRequest request;                                 ///< of the picture that was looked at
    std::vector<std::optional<std::vector<float>>> seen;  ///< by each encoder
  };

  const FaceFinder& finder() const;
  const Identities& identities() const;
  const Person& look_at(const std::string& name, const ImageRequest& request,
                        const Maker& make) const;
  std::optional<std::vector<std::optional<std::string>>> find_likeness(
      const Image& picture, const std::vector<Rect>& faces, const std::vector<std::string>& names,
      const ImageRequest& request, const Maker& make) const;

  const Bundle& bundle_;
  c10::Device device_;
  mutable std::optional<FaceFinder> finder_;
  mutable std::optional<Identities> identities_;
  mutable std::vector<std::unique_ptr<const Person>> persons_;
};

}  // namespace sdx
