#include "generation/not_finite.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "sdx/generation/embedding_names.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

// Beyond these nobody makes images. Guidance is mostly 1 to 20, a weight 0.5 to 2, vectors of a
// text encoder's table are within 1, and LoRAs are trained for the strength 1.
constexpr double kMostGuidance = 100;
constexpr double kMostWeight = 20;
constexpr double kMostVectorValue = 100;
constexpr double kMostLoraStrength = 3;

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

void add_weights(const std::vector<PromptPart>& parts, std::vector<std::string>& causes) {
  for (const PromptPart& part : parts) {
    if (std::abs(part.weight) > kMostWeight) {
      causes.push_back("lower the weight " + short_number(part.weight) + " of the part " +
                       in_quotes(part.stages.front().prompt.text));
    }
    for (const PromptStage& stage : part.stages) {
      for (const PromptSegment& segment : stage.prompt.segments) {
        if (std::abs(segment.weight) <= kMostWeight) continue;
        causes.push_back("lower the weight " + short_number(segment.weight) + " of " +
                         in_quotes(trim(segment.text)));
      }
    }
  }
}

void add_loras(const AppliedLoras& loras, std::vector<std::string>& causes) {
  for (const AppliedLora& applied : loras) {
    const double most = std::max(std::abs(applied.text), std::abs(applied.unet));
    if (most <= kMostLoraStrength) continue;
    causes.push_back("lower the strength " + short_number(most) + " of the LoRA " +
                     in_quotes(applied.name));
  }
}

void add_embeddings(const ImageRequest& request, const EmbeddingTable& embeddings,
                    std::vector<std::string>& causes) {
  for (const std::string& name : list_embedding_names(request, embeddings)) {
    if (!embeddings.contains(name)) continue;
    const EmbeddingVectors& vectors = embeddings.at(name).vectors;
    for (std::size_t encoder = 0; encoder < vectors.widths().size(); ++encoder) {
      const double most = vectors.matrix(encoder).abs().max().item<double>();
      if (most <= kMostVectorValue) continue;  // NaN is not
      causes.push_back("use another embedding than " + placeholder(name) + ", whose vectors " +
                       (std::isfinite(most) ? "reach " + short_number(most)
                                            : std::string("are not finite themselves")));
      break;
    }
  }
}

}  // namespace

bool is_finite(const at::Tensor& values) { return at::isfinite(values).all().item<bool>(); }

std::string describe_not_finite(const ImageRequest& request, const EmbeddingTable& embeddings,
                                PromptCache& prompts) {
  const ImageSettings& settings = request.settings;
  std::vector<std::string> causes;
  if (std::abs(settings.guidance_scale) > kMostGuidance) {
    causes.push_back("lower `cfg`, which is " + short_number(settings.guidance_scale));
  }
  const PromptSteps steps{settings.sampler.steps, 0};
  for (const auto& [text, role] : {std::pair(request.prompt, PromptRole::kPositive),
                                   std::pair(request.negative_prompt, PromptRole::kNegative)}) {
    add_weights(*prompts.parts(text, settings.grammar, role, steps, embeddings), causes);
  }
  add_embeddings(request, embeddings, causes);
  add_loras(settings.loras, causes);
  const std::string what = in_quotes(request.prompt) + ", seed " + std::to_string(request.seed) +
                           ": the image's values are not finite, even in fp32, so it is not "
                           "written; ";
  if (!causes.empty()) return what + join(causes, ", ");
  return what +
         "a lower `cfg` or weights nearer to 1 may help. Where every prompt ends so, the model is "
         "damaged";
}

}  // namespace sdx
