#include "generation/request_check.h"

#include <algorithm>
#include <cmath>

#include "generation/face_options.h"
#include "generation/not_finite.h"
#include "generation/pass_plan.h"
#include "sdx/generation/image_size.h"
#include "sdx/generation/lora_table.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/text_file.h"

namespace sdx {

namespace {

void check_size(const std::string& what, int width_px, int height_px, int factor) {
  if (width_px > 0 && height_px > 0 && width_px % factor == 0 && height_px % factor == 0) return;
  const auto down = [factor](int value) { return std::max(value / factor, 1) * factor; };
  throw UsageError(what + " " + std::to_string(width_px) + "x" + std::to_string(height_px) +
                   ": both sides must be divisible by " + std::to_string(factor) + "; try " +
                   std::to_string(down(width_px)) + "x" + std::to_string(down(height_px)));
}

void check_sizes(const ImageSettings& settings, const BundleInfo& info) {
  const auto [width_px, height_px] = image_size(settings, info);
  check_size("`size`", width_px, height_px, info.vae_factor);
  if (settings.hires.scale > 1) {
    const auto larger = [&](int px) {
      return static_cast<int>(std::lround(px * settings.hires.scale));
    };
    check_size("`hires` gives", larger(width_px), larger(height_px), info.vae_factor);
  }
}

void check_parts(const std::vector<PromptPart>& parts, const BundleInfo& info,
                 const Tokenizer& tokenizer, const EmbeddingSizes& embeddings) {
  for (const PromptPart& part : parts) {
    for (const PromptStage& stage : part.stages) {
      // Before their numbers of vectors: those of another model may be too many for a chunk here.
      for (const PromptSegment& segment : stage.prompt.segments) {
        if (segment.is_placeholder) embeddings.check_widths(segment.text, info.text_widths());
      }
      const TokenizedPrompt prompt = tokenize_prompt(stage.prompt, tokenizer, embeddings);
      for (const std::string& name : prompt.embeddings) {
        embeddings.check_widths(name, info.text_widths());
      }
    }
  }
}

}  // namespace

void check_request(const ImageRequest& request, const BundleInfo& info,
                   const NoiseSchedule& schedule, const Tokenizer& tokenizer,
                   const EmbeddingSizes& embeddings, PromptCache& prompts) {
  const ImageSettings& settings = request.settings;
  for (const std::string& text : {request.prompt, request.negative_prompt}) {
    if (const std::string fault = describe_encoding_fault(text); !fault.empty()) {
      throw UsageError("the prompt " + in_quotes(text) + " is " + fault + "; expected UTF-8");
    }
  }
  check_loras_resolved(request);
  check_face_settings(request);
  check_sizes(settings, info);
  if (settings.start && settings.start->mask && settings.hires.scale > 1) {
    throw UsageError(
        "`mask` and `hires`: the second pass would change what the mask keeps; make the picture "
        "without `hires`, then a larger one from it with `init-image` and `hires`");
  }
  if (settings.clip_skip < 1 || settings.clip_skip > info.text_layers()) {
    throw SettingError("clip-skip", "1 to " + std::to_string(info.text_layers()),
                       std::to_string(settings.clip_skip));
  }
  for (const PassPlan& plan : plan_passes(settings, schedule)) {
    const auto check = [&](const std::string& text, PromptRole role) {
      check_parts(*prompts.parts(text, settings.grammar, role, plan.prompt_steps, embeddings), info,
                  tokenizer, embeddings);
    };
    check(request.prompt, PromptRole::kPositive);
    check(request.negative_prompt, PromptRole::kNegative);
  }
}

void check_latents(const at::Tensor& latents, std::size_t images, const LatentSize& size) {
  const auto count = static_cast<std::int64_t>(images);
  if (latents.sizes() == at::IntArrayRef({count, size.channels, size.height, size.width})) {
    if (!is_finite(latents)) throw DataError("`latents`: values in it are not finite");
    return;
  }
  throw DataError("`latents`: expected " + std::to_string(count) + " × " +
                  std::to_string(size.channels) + " × " + std::to_string(size.height) + " × " +
                  std::to_string(size.width) + " values, one set for each picture");
}

}  // namespace sdx
