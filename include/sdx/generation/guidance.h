#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/feature_reuse.h"
#include "sdx/generation/settings.h"
#include "sdx/model/conditioning.h"
#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"
#include "sdx/prompt/prompt_cache.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// Turns texts into the conditioning that the UNet takes; each text is encoded once.
class ContextCache {
 public:
  /// The arguments outlive the cache.
  /// @param prompts that were read already
  ContextCache(const Tokenizer& tokenizer, const EmbeddingTable& embeddings,
               const TextEncoders& encoders, PromptCache& prompts)
      : tokenizer_(tokenizer), embeddings_(embeddings), encoders_(encoders), prompts_(prompts) {}

  /// The parts of a prompt, see PromptCache::parts(); the names of the embeddings are known.
  std::shared_ptr<const std::vector<PromptPart>> parts(const std::string& text, Grammar grammar,
                                                       PromptRole role,
                                                       const PromptSteps& steps) const;

  /// One row, on the encoders' device; its positions are a multiple of the encoders'. The same
  /// tensors each time.
  /// @param place of the image; models that are not told it share a text's encoding among all.
  /// @throws as tokenize_prompt and encode_prompts.
  const Conditioning& conditioning(const PromptText& prompt, int clip_skip,
                                   const ImagePlace& place);

  /// Zeros in the place of what the text encoders make of an empty prompt.
  const Conditioning& nothing(const ImagePlace& place);

  /// Lets go what was encoded: the encoders are others now.
  void forget() {
    known_.clear();
    nothing_.clear();
  }

  /// Whether the model wants nothing() for an empty negative prompt.
  bool zeroes_empty_negative() const { return encoders_.zeroes_empty_negative(); }

 private:
  const Tokenizer& tokenizer_;
  const EmbeddingTable& embeddings_;
  const TextEncoders& encoders_;
  PromptCache& prompts_;
  std::map<std::tuple<std::string, Grammar, int, ImagePlace>, Conditioning> known_;
  std::map<ImagePlace, Conditioning> nothing_;
};

/// Classifier-free guidance of a batch (Ho & Salimans 2022), with several weighted parts for each
/// picture (Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models").
///
/// After ImageSettings::guidance_end the prediction is that of the prompt alone; of several parts
/// the mean, by weight, of those that attract. The negative prompt and parts with a weight of 0 or
/// less say where not to go, which nothing but guidance can; so pictures of such parts alone stay
/// guided.
class Guidance {
 public:
  /// @param requests   all with the same settings.
  /// @param steps      of the pass, for the prompts' edits.
  /// @param first_step of the pass; those before it are not taken.
  /// @param size       of the images in this pass.
  /// @param beside     what the UNet of an inpainting model reads behind the latents,
  ///                   [1,1+C,h,w]; else undefined.
  /// The UNet and the cache outlive the guidance.
  Guidance(const std::vector<ImageRequest>& requests, const PromptSteps& steps, int first_step,
           const ImageSize& size, const UNet& unet, ContextCache& contexts, at::Tensor beside = {});

  /// The guided output of the UNet, of the kind that its prediction type says. Of the evaluations
  /// of a pass, which come in their order, only some are made in full if the settings say so.
  /// @param sample   [B,C,h,w], one for each request.
  /// @param timestep the same for all.
  /// @param step     of those taken, from 0: what the prompts' edits go by.
  /// @return         [B,C,h,w] float32.
  at::Tensor predict(const at::Tensor& sample, double timestep, int step);

 private:
  /// A row of the UNet's batch: a picture with one conditioning.
  struct Row {
    std::int64_t image;
    double weight;              ///< of a part
    Conditioning conditioning;  ///< one row
  };

  bool is_guided(int step) const;
  const Conditioning& conditioning(const PromptPart& part, int step);
  const Conditioning& negative_conditioning(std::size_t image, int step);
  std::vector<Row> unconditional_rows(int step);
  std::vector<Row> conditional_rows(int step);
  std::vector<at::Tensor> outputs(const std::vector<Row>& rows, const at::Tensor& sample,
                                  double timestep);
  std::vector<at::Tensor> guided(const std::vector<Row>& rows,
                                 const std::vector<at::Tensor>& outputs) const;
  std::vector<at::Tensor> unguided(const std::vector<Row>& rows,
                                   const std::vector<at::Tensor>& outputs) const;

  ImageSettings settings_;
  ImagePlace place_;
  bool zeroes_empty_negative_;
  using Parts = std::shared_ptr<const std::vector<PromptPart>>;

  std::vector<Parts> parts_;      ///< of each picture
  std::vector<Parts> negatives_;  ///< of each picture, one part
  bool needs_guidance_;
  int guided_steps_;  ///< of those taken
  FeatureReuse unet_;
  at::Tensor beside_;
  ContextCache& contexts_;
};

}  // namespace sdx
