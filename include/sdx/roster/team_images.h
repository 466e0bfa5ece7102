#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "sdx/generation/generator.h"
#include "sdx/image/write.h"
#include "sdx/roster/team_folder.h"

namespace sdx {

/// A picture that a team shall have.
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

/// The pictures of those requests whose embeddings are all in `words`; of two equal ones the first.
/// @param dtype as it was asked for; "auto": what suits the device
std::vector<TeamImage> list_team_images(const std::vector<ImageRequest>& requests,
                                        const Bundle& bundle, const EmbeddingTable& words,
                                        const ImageEncoding& encoding,
                                        const std::string& dtype = "auto");

/// How many of them are there, and how many are not.
int count_present(const TeamFolder& team, const std::vector<TeamImage>& pictures);
int count_missing(const TeamFolder& team, const std::vector<TeamImage>& pictures);

struct ImageEvents {
  std::function<void(int done, int total)> step;  ///< of the sampler; may throw to stop
  std::function<void(const TeamImage&)> picture;  ///< as soon as it is written
};

/// Makes those that are not there. What is made does not depend on what was there: a picture's
/// place in a batch is its place in the list.
/// @param version of the program, for the pictures' metadata.
/// @throws as Generator::generate and write_image.
void make_images(const Generator& generator, const Bundle& bundle, const TeamFolder& team,
                 const std::vector<TeamImage>& pictures, const EmbeddingTable& words,
                 const ImageEncoding& encoding, const std::string& version,
                 const ImageEvents& events);

}  // namespace sdx
