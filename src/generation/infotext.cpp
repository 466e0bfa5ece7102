#include "sdx/generation/infotext.h"

#include <array>
#include <charconv>

#include "picture_size.h"
#include "sdx/generation/words.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

constexpr std::size_t kShortHashDigits = 12;

/// "Ada: 0123456789ab, Ben: …" for the embeddings of the prompts that were read from files.
std::string embedding_hashes(const ImageRequest& request, const EmbeddingTable& embeddings) {
  std::vector<std::string> hashes;
  for (const std::string& name : words_of(request)) {
    if (!embeddings.contains(name)) continue;
    const Embedding& embedding = embeddings.at(name);
    if (embedding.file.empty()) continue;
    hashes.push_back(name + ": " + sha256_of_file(embedding.file).substr(0, kShortHashDigits));
  }
  return join(hashes, ", ");
}

class FieldList {
 public:
  explicit FieldList(Infotext& infotext) : infotext_(infotext) {}

  void add(const char* key, std::string value) {
    infotext_.fields.emplace_back(key, std::move(value));
  }
  void add_unless(bool is_usual, const char* key, std::string value) {
    if (!is_usual) add(key, std::move(value));
  }

 private:
  Infotext& infotext_;
};

void add_sampling(FieldList& fields, const SamplerSettings& sampler) {
  fields.add("Steps", std::to_string(sampler.steps));
  fields.add("Sampler", std::string(display_name(sampler.sampler)));
  if (sampler.schedule == ScheduleKind::kCustom) {
    std::vector<std::string> sigmas;
    for (const double sigma : sampler.custom_sigmas) sigmas.push_back(exact_number(sigma));
    fields.add("Sigmas", join(sigmas, ", "));
  } else {
    fields.add_unless(sampler.schedule == ScheduleKind::kAuto, "Schedule type",
                      std::string(display_name(sampler.schedule)));
  }
}

}  // namespace

Infotext infotext(const ImageRequest& request, const Bundle& bundle,
                  const EmbeddingTable& embeddings, const std::string& version,
                  const Making& making) {
  const BundleInfo& info = bundle.info();
  const PictureSettings& settings = request.settings;
  const HiresSettings& hires = settings.hires;
  const auto [width_px, height_px] = picture_size(settings, info);
  const bool is_larger = hires.scale > 1;

  Infotext infotext{request.prompt, request.negative_prompt, {}};
  FieldList fields(infotext);
  add_sampling(fields, settings.sampler);
  fields.add("CFG scale", exact_number(settings.guidance_scale));
  fields.add_unless(settings.guidance_rescale == 0, "CFG Rescale",
                    exact_number(settings.guidance_rescale));
  fields.add_unless(settings.guidance_end == 1, "CFG end", exact_number(settings.guidance_end));
  fields.add_unless(settings.feature_interval == 1, "DeepCache interval",
                    std::to_string(settings.feature_interval));
  fields.add("Seed", std::to_string(request.seed));
  fields.add("Size", std::to_string(width_px) + "x" + std::to_string(height_px));
  fields.add("Model hash", bundle.short_hash());
  fields.add("Model", info.name);
  if (request.variation_strength > 0) {
    fields.add("Variation seed", std::to_string(request.variation_seed));
    fields.add("Variation seed strength", exact_number(request.variation_strength));
  }
  if (settings.start || is_larger) {
    fields.add("Denoising strength", exact_number(is_larger ? hires.strength : settings.strength));
  }
  fields.add_unless(!settings.start || !is_larger, "Start strength",
                    exact_number(settings.strength));
  fields.add_unless(!settings.start || !settings.start->mask, "Mask", "True");
  fields.add_unless(settings.clip_skip == 1, "Clip skip", std::to_string(settings.clip_skip));
  fields.add_unless(!settings.tile, "Tiling", "True");
  fields.add_unless(settings.grammar == Grammar::kA1111, "Grammar",
                    std::string(to_string(settings.grammar)));
  if (making.place.size > 1) {
    fields.add("Batch size", std::to_string(making.place.size));
    fields.add("Batch pos", std::to_string(making.place.position));
  }
  fields.add_unless(making.dtype == at::kFloat, "Precision",
                    std::string(precision_name(making.dtype)));
  fields.add_unless(making.piece_px == 0, "VAE tile", std::to_string(making.piece_px));
  fields.add("RNG", "Philox");
  const std::string hashes = embedding_hashes(request, embeddings);
  fields.add_unless(hashes.empty(), "TI hashes", hashes);
  if (is_larger) {
    fields.add("Hires upscale", exact_number(hires.scale));
    fields.add_unless(hires.steps == 0, "Hires steps", std::to_string(hires.steps));
    fields.add("Hires upscaler", "Lanczos");
  }
  fields.add("Version", version);
  return infotext;
}

bool was_made_from_picture(const Infotext& infotext) {
  return infotext.field("Start strength") ||
         (infotext.field("Denoising strength") && !infotext.field("Hires upscale"));
}

std::optional<BatchPlace> batch_place_of(const Infotext& infotext) {
  const auto number_of = [&infotext](std::string_view key) {
    int number = -1;
    if (const auto text = infotext.field(key)) {
      std::from_chars(text->data(), text->data() + text->size(), number);
    }
    return number;
  };
  constexpr int kLargest = 64;
  const BatchPlace place{number_of("Batch size"), number_of("Batch pos")};
  const bool is_place = place.size > 1 && place.size <= kLargest && place.position >= 0 &&
                        place.position < place.size;
  return is_place ? std::optional(place) : std::nullopt;
}

}  // namespace sdx
