#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdx/generation/generator.h"
#include "sdx/image/write.h"
#include "sdx/roster/team_folder.h"

namespace sdx {

/// A picture that a team should have.
struct TeamImage {
  ImageRequest request;
  std::vector<std::string> names;  ///< in the prompt, in order
  /// Within the team's folder: pictures/<names>/<slug>-<seed>-<hash>.png. The hash is of all that
  /// decides the bytes: the request, the files of the embeddings, the model, and the dtype and the
  /// quality where they were chosen. A picture that is there is the one that is wanted.
  std::filesystem::path file;
  /// The name that commit 4ce8870 and before gave it, where the hash had no dtype. Such a file is
  /// the picture if its metadata has `precision`. Empty: there is no other name.
  std::filesystem::path former_file;
  std::string precision;  ///< of `former_file`: "fp32", "bf16" or "fp16"
};

/// The pictures of those requests whose embeddings are all in `embeddings`; of two equal ones the
/// first.
/// @param dtype as it was asked for; "auto": what suits the device
std::vector<TeamImage> list_team_images(const std::vector<ImageRequest>& requests,
                                        const Bundle& bundle, const EmbeddingTable& embeddings,
                                        const ImageEncoding& encoding,
                                        const std::string& dtype = "auto");

/// How many of them are there, and how many are not.
int count_present(const TeamFolder& team, const std::vector<TeamImage>& images);
int count_missing(const TeamFolder& team, const std::vector<TeamImage>& images);

/// Is told how the making of pictures goes.
class ImageObserver {
 public:
  virtual ~ImageObserver() = default;

  /// After each step of the sampler, over all pictures of a batch. What it throws ends the work.
  virtual void on_image_step(int /*done*/, int /*total*/) {}

  /// As soon as the picture is written.
  virtual void on_image(const TeamImage& /*image*/) {}
};

/// Makes those that are not there. What is made does not depend on what was there: a picture's
/// place in a batch is its place in the list.
/// @param version of the program, for the pictures' metadata.
/// @throws as Generator::generate and write_image, and what the observer throws.
void make_images(const Generator& generator, const Bundle& bundle, const TeamFolder& team,
                 const std::vector<TeamImage>& images, const EmbeddingTable& embeddings,
                 const ImageEncoding& encoding, const std::string& version,
                 ImageObserver& observer);

}  // namespace sdx
