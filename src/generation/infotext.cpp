#include "sdx/generation/infotext.h"

#include <charconv>

#include "generation/image_size.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

constexpr std::size_t kShortHashDigits = 12;

/// "Ada: 0123456789ab, Ben: …" for the embeddings of the prompts that were read from files.
std::string embedding_hashes(const ImageRequest& request, const EmbeddingTable& embeddings) {
  std::vector<std::string> hashes;
  for (const std::string& name : list_embedding_names(request, embeddings)) {
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

  void add(std::string key, std::string value) {
    infotext_.fields.emplace_back(std::move(key), std::move(value));
  }
  void add_unless(bool is_usual, std::string key, std::string value) {
    if (!is_usual) add(std::move(key), std::move(value));
  }

 private:
  Infotext& infotext_;
};

/// The settings that stand in one place of the text.
void add_settings(FieldList& fields, const ImageOptions& options, InfotextPlace place) {
  for (const auto& row : image_settings().rows()) {
    if (!row.infotext.name || row.infotext.place != place) continue;
    if (row.infotext.when && !row.infotext.when(options)) continue;
    fields.add(row.infotext.name(options),
               row.infotext.text ? row.infotext.text(options) : row.to_text(options));
  }
}

}  // namespace

Infotext infotext(const ImageRequest& request, const Bundle& bundle,
                  const EmbeddingTable& embeddings, const std::string& version,
                  const GenerationInfo& generation_info) {
  const BundleInfo& info = bundle.info();
  ImageOptions options = to_options(request);
  const auto [width_px, height_px] = image_size(request.settings, info);
  options.settings.width_px = width_px;
  options.settings.height_px = height_px;

  Infotext infotext{request.prompt, request.negative_prompt, {}};
  FieldList fields(infotext);
  add_settings(fields, options, InfotextPlace::kBeforeModel);
  fields.add("Model hash", bundle.short_hash());
  fields.add("Model", info.name);
  add_settings(fields, options, InfotextPlace::kBehindModel);
  if (generation_info.place.size > 1) {
    fields.add("Batch size", std::to_string(generation_info.place.size));
    fields.add("Batch pos", std::to_string(generation_info.place.position));
  }
  fields.add_unless(generation_info.dtype == at::kFloat, "Precision",
                    std::string(precision_name(generation_info.dtype)));
  fields.add_unless(generation_info.piece_px == 0, "VAE tile",
                    std::to_string(generation_info.piece_px));
  fields.add("RNG", "Philox");
  const std::string hashes = embedding_hashes(request, embeddings);
  fields.add_unless(hashes.empty(), "TI hashes", hashes);
  add_settings(fields, options, InfotextPlace::kLast);
  fields.add_unless(request.settings.hires.scale <= 1, "Hires upscaler", "Lanczos");
  fields.add("Version", version);
  return infotext;
}

void read_infotext(const Infotext& infotext, ImageOptions& options,
                   const std::function<bool(const std::string& key)>& is_given) {
  if (!is_given("prompt")) options.prompt = infotext.prompt;
  if (!is_given("negative")) options.negative = infotext.negative_prompt;
  // What a field is called may depend on others, which are read before.
  for (const bool is_fixed : {true, false}) {
    for (const auto& row : image_settings().rows()) {
      if (!row.infotext.name || !row.infotext.is_read || row.infotext.is_fixed != is_fixed ||
          is_given(row.info.key)) {
        continue;
      }
      const auto text = infotext.field(row.infotext.name(options));
      if (!text) continue;
      if (row.info.type != SettingType::kFlag) {
        row.set_text(options, *text);
      } else if (*text == "True") {
        row.set_text(options, "true");
      }
    }
  }
}

bool was_made_from_image(const Infotext& infotext) {
  return infotext.field("Start strength") ||
         (infotext.field("Denoising strength") && !infotext.field("Hires upscale"));
}

std::optional<BatchPlace> read_batch_place(const Infotext& infotext) {
  const auto read_number = [&infotext](std::string_view key) {
    int number = -1;
    if (const auto text = infotext.field(key)) {
      std::from_chars(text->data(), text->data() + text->size(), number);
    }
    return number;
  };
  constexpr int kLargest = 64;
  const BatchPlace place{read_number("Batch size"), read_number("Batch pos")};
  const bool is_place = place.size > 1 && place.size <= kLargest && place.position >= 0 &&
                        place.position < place.size;
  return is_place ? std::optional(place) : std::nullopt;
}

}  // namespace sdx
