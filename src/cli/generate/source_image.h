#pragma once

#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/foreign_infotext.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/image_options.h"
#include "sdx/generation/lora_table.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// The picture whose metadata hold where the command line says nothing.
struct SourceImage {
  std::string file;
  ImageOrigin origin;
  bool gives_prompt = true;  ///< false: the command line gives it
  bool gives_size = true;
};

/// Reads what a picture says of how it was made.
/// @throws DataError if it says nothing; as read_image_texts.
SourceImage read_source(const std::string& file);

/// Says in which precision the picture was computed, if that is another one.
/// @param now in which type the networks compute
void say_precision(const SourceImage& source, const std::string& now);

/// Says if the faces of the picture were found by another detector than the one here.
void say_face_detector(const SourceImage& source, const ImageOptions& options,
                       const Bundle& bundle);

/// Says what the picture states and the new one will not have.
void say_what_lacks(const SourceImage& source, const ImageOptions& options);

/// Says which embeddings the picture used by names that stand in its prompts without < >.
void say_bare_embeddings(const SourceImage& source, const EmbeddingTable& embeddings,
                         const std::vector<ImageJob>& jobs);

/// Takes LoRAs that are not here out of a prompt that another program wrote, and says so: it would
/// have left them out, too. A picture of ours is made with all of its LoRAs or not at all.
void leave_out_missing_loras(const SourceImage& source, const LoraTable& loras,
                             std::string& prompt);

/// Says which LoRAs are others than those that the picture was made with, by their hashes.
void say_other_loras(const SourceImage& source, const std::vector<ImageJob>& jobs);

/// Whether the picture's own size, which nobody typed, is far beyond what the model was made for.
bool is_out_of_proportion(const SourceImage& source, const ImageSettings& settings,
                          const BundleInfo& info);

/// Says of such a size what it takes, before the work.
/// @throws UsageError for one that has to be typed.
void check_own_size(const SourceImage& source, const ImageSettings& settings,
                    const BundleInfo& info, const Generator& generator);

}  // namespace sdx
