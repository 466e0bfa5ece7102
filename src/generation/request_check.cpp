#include "request_check.h"

#include <algorithm>
#include <cmath>

#include "pass_plan.h"
#include "picture_size.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

void check_size(const std::string& what, int width_px, int height_px, int factor) {
  if (width_px > 0 && height_px > 0 && width_px % factor == 0 && height_px % factor == 0) return;
  const auto down = [factor](int value) { return std::max(value / factor, 1) * factor; };
  throw UsageError(what + " " + std::to_string(width_px) + "x" + std::to_string(height_px) +
                   ": both sides must be divisible by " + std::to_string(factor) + "; try " +
                   std::to_string(down(width_px)) + "x" + std::to_string(down(height_px)));
}

void check_sizes(const PictureSettings& settings, const BundleInfo& info) {
  const auto [width_px, height_px] = picture_size(settings, info);
  check_size("--size", width_px, height_px, info.vae_factor);
  if (settings.hires.scale > 1) {
    const auto larger = [&](int px) {
      return static_cast<int>(std::lround(px * settings.hires.scale));
    };
    check_size("--hires gives", larger(width_px), larger(height_px), info.vae_factor);
  }
}

void check_text(const std::string& text, const PictureSettings& settings, const PromptSteps& steps,
                const BundleInfo& info, const Tokenizer& tokenizer,
                const EmbeddingTable& embeddings) {
  for (const PromptPart& part : parse_prompt(text, settings.grammar, steps)) {
    for (const PromptStage& stage : part.stages) {
      const TokenizedPrompt prompt =
          tokenize_prompt(stage.text, tokenizer, embeddings, settings.grammar);
      for (const PromptChunk& chunk : prompt.chunks) {
        for (const Splice& splice : chunk.splices) {
          check_widths(embeddings.at(splice.name), info.text_widths());
        }
      }
    }
  }
}

}  // namespace

void check_request(const ImageRequest& request, const BundleInfo& info,
                   const NoiseSchedule& schedule, const Tokenizer& tokenizer,
                   const EmbeddingTable& embeddings) {
  const PictureSettings& settings = request.settings;
  check_sizes(settings, info);
  if (settings.start && settings.start->mask && settings.hires.scale > 1) {
    throw UsageError(
        "--mask and --hires: the second pass would change what the mask keeps; make the picture "
        "without --hires, then a larger one from it with --init-image and --hires");
  }
  if (settings.clip_skip < 1 || settings.clip_skip > info.text_layers()) {
    throw UsageError("--clip-skip: expected 1 to " + std::to_string(info.text_layers()) +
                     ", found " + std::to_string(settings.clip_skip));
  }
  for (const PassPlan& plan : plan_passes(settings, schedule)) {
    for (const std::string* text : {&request.prompt, &request.negative_prompt}) {
      check_text(*text, settings, plan.prompt_steps, info, tokenizer, embeddings);
    }
  }
}

}  // namespace sdx
