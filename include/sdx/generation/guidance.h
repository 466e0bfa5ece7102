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
#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/prompt/prompt_cache.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// Texts → what the UNet attends to, each text encoded once.
class ContextCache {
 public:
  /// The arguments outlive the cache.
  /// @param prompts that were read already
  ContextCache(const Tokenizer& tokenizer, const EmbeddingTable& embeddings,
               const TextEncoder& encoder, PromptCache& prompts)
      : tokenizer_(tokenizer), embeddings_(embeddings), encoder_(encoder), prompts_(prompts) {}

  PromptCache& prompts() const { return prompts_; }

  /// [S,W] float32 on the encoder's device, S a multiple of the encoder's positions.
  /// @throws as tokenize_prompt and encode_prompts.
  const at::Tensor& context(const PromptText& prompt, int clip_skip);

 private:
  const Tokenizer& tokenizer_;
  const EmbeddingTable& embeddings_;
  const TextEncoder& encoder_;
  PromptCache& prompts_;
  std::map<std::tuple<std::string, Grammar, int>, at::Tensor> known_;
};

/// Classifier-free guidance of a batch (Ho & Salimans 2022), with several weighted parts for each
/// picture (Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models").
///
/// After PictureSettings::guidance_end the prediction is that of the prompt alone; of several parts
/// the mean, by weight, of those that attract. The negative prompt and parts with a weight of 0 or
/// less say where not to go, which nothing but guidance can; so pictures of such parts alone stay
/// guided.
class Guidance {
 public:
  /// @param requests   all with the same settings.
  /// @param steps      of the pass, for the prompts' edits.
  /// @param first_step of the pass; those before it are not taken.
  /// The UNet and the cache outlive the guidance.
  Guidance(const std::vector<ImageRequest>& requests, const PromptSteps& steps, int first_step,
           const UNet& unet, ContextCache& contexts);

  /// The guided output of the UNet in what its prediction type is. Of the evaluations of a pass,
  /// which come in their order, only some are made in full if the settings say so.
  /// @param sample   [B,4,h,w], one for each request.
  /// @param timestep the same for all.
  /// @param step     of those taken, from 0: what the prompts' edits go by.
  /// @return         [B,4,h,w] float32.
  at::Tensor predict(const at::Tensor& sample, double timestep, int step);

 private:
  /// A picture that goes through the UNet with one context.
  struct Row {
    std::int64_t picture;
    double weight;  ///< of a part
    at::Tensor context;
  };

  bool is_guided(int step) const;
  std::vector<Row> unconditional_rows(int step);
  std::vector<Row> conditional_rows(int step);
  std::vector<at::Tensor> outputs(const std::vector<Row>& rows, const at::Tensor& sample,
                                  double timestep);
  std::vector<at::Tensor> guided(const std::vector<Row>& rows,
                                 const std::vector<at::Tensor>& outputs) const;
  std::vector<at::Tensor> unguided(const std::vector<Row>& rows,
                                   const std::vector<at::Tensor>& outputs) const;

  PictureSettings settings_;
  using Parts = std::shared_ptr<const std::vector<PromptPart>>;

  const PromptPart& negative(std::size_t picture) const { return negatives_[picture]->front(); }

  std::vector<Parts> parts_;      ///< of each picture
  std::vector<Parts> negatives_;  ///< of each picture, one part
  bool needs_guidance_;
  int guided_steps_;  ///< of those taken
  FeatureReuse unet_;
  ContextCache& contexts_;
};

}  // namespace sdx
