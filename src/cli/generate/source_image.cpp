#include "cli/generate/source_image.h"

#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "sdx/cli/tool.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/generation/infotext.h"
#include "sdx/generation/vae_decoder_fields.h"
#include "sdx/image/face.h"
#include "sdx/image/metadata.h"
#include "sdx/prompt/networks.h"
#include "sdx/scheduler/sampler_names.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "sdx/util/utf8.h"

namespace sdx {

SourceImage read_source(const std::string& file) {
  std::optional<ImageOrigin> origin;
  try {
    origin = find_image_origin(read_image_texts(file));
  } catch (const DataError& error) {
    const std::string reason = error.what();
    const bool is_named = reason.starts_with(file);  // what the file's reader throws
    throw DataError("--from-image " + (is_named ? reason : file + ": " + reason));
  }
  if (!origin) {
    throw DataError("--from-image " + file + ": the picture doesn't say how it was made" +
                    (hides_text(file) ? ", but for a text hidden in its transparency, as NovelAI's "
                                        "have it, which is not read here"
                                      : ""));
  }
  return {file, *std::move(origin)};
}

void say_precision(const SourceImage& source, const std::string& now) {
  const std::string then = source.origin.infotext.field("Precision").value_or("fp32");
  if (then == now || !is_plain_text(then)) return;
  say(source.file + " was computed in " + then + ", this is in " + now +
      ": pixels will differ a little; --dtype " + then + " makes the same ones");
}

void say_face_detector(const SourceImage& source, const ImageOptions& options,
                       const Bundle& bundle) {
  const std::string then = source.origin.infotext.field(kFaceDetectorField).value_or("");
  if (!options.settings.faces.refine || then.empty()) return;
  const auto finder = FaceFinder::installed({}, bundle.folder());
  if (!finder || then == finder->method()) return;
  say(source.file + ": its faces were found by " + (is_plain_text(then) ? then : in_quotes(then)) +
      ", here the " + finder->method() + " looks for them, and may find others");
}

/// Says so if the picture was decoded by a tiny autoencoder, and the new one will not be by the
/// same.
void say_tiny_autoencoder(const SourceImage& source, const std::string& used) {
  const Infotext& text = source.origin.infotext;
  if (text.field(kVaeDecoderField) != kTinyDecoder) return;
  const std::string name = text.field(kVaeDecoderFileField).value_or("");
  const std::string made = source.file + " was decoded by a tiny autoencoder (TAESD)" +
                           (name.empty() ? "" : ", " + quote_text(name));
  const std::string stated = text.field(kVaeDecoderHashField).value_or("");
  if (used.empty()) {
    say(made + ", which is not here: --vae-approx FILE gives it; without it the VAE decodes");
  } else if (!stated.empty() && stated != hash_tiny_autoencoder(used)) {
    say(made + " of the hash " + quote_text(stated) + ", and " + used +
        " is another one: its hash is " + hash_tiny_autoencoder(used));
  }
}

void say_what_lacks(const SourceImage& source, const ImageOptions& options) {
  const Infotext& text = source.origin.infotext;
  if (was_made_from_image(text) && options.start_image.empty()) {
    say(source.file +
        " was made from another picture, which it does not hold: --init-image FILE "
        "gives that back; without it the beginning is noise");
  }
  say_tiny_autoencoder(source, options.settings.vae_approx);
  const std::vector<std::string> lacks = list_not_taken_over(text);
  if (!lacks.empty()) {
    say(source.file + ": not taken over from the picture: " + join(lacks, ", "));
  }
  const std::string variant = describe_sampler_variant(text.field("Sampler").value_or(""));
  if (!variant.empty() &&
      options.sampler == find_sampler_name(*text.field("Sampler"))->sampler.kind) {
    say(source.file + ": " + variant);
  }
}

void say_bare_embeddings(const SourceImage& source, const EmbeddingTable& embeddings,
                         const std::vector<ImageJob>& jobs) {
  if (!source.gives_prompt) return;
  std::set<std::string> used;
  std::string texts;
  for (const ImageJob& job : jobs) {
    for (const std::string& name : list_embedding_names(job.request)) used.insert(name);
    texts = job.request.prompt + "\n" + job.request.negative_prompt;
  }
  for (const std::string& name : list_stated_embeddings(source.origin.infotext)) {
    if (used.contains(name) || texts.find(name) == std::string::npos) continue;
    say(source.file + " was made with the embedding " + quote_text(name) +
        (embeddings.contains(name)
             ? ", whose name stands in its prompt without < >: here it is plain text; with "
               "--bare-names it is the embedding"
             : ", which is not known here: its name is plain text; --embeddings FOLDER says where "
               "to look"));
  }
}

void leave_out_missing_loras(const SourceImage& source, const LoraTable& loras,
                             std::string& prompt) {
  if (source.origin.infotext.field("Version").value_or("").starts_with("sdx ")) return;
  std::set<std::string> said;
  std::string rest;
  for (std::size_t i = 0; i < prompt.size();) {
    const std::size_t length = find_network_length(prompt, i);
    const std::string_view piece =
        std::string_view(prompt).substr(i, std::max<std::size_t>(length, 1));
    i += piece.size();
    const std::string name = length > 0 ? list_networks(piece).front().name : "";
    if (length == 0 || loras.contains(name)) {
      rest += piece;
    } else if (said.insert(name).second) {
      say(source.file + " was made with the LoRA " + in_quotes(name) +
          ", which is not here and left out; --loras FOLDER says where to look");
    }
  }
  prompt = std::move(rest);
}

void say_other_loras(const SourceImage& source, const std::vector<ImageJob>& jobs) {
  const auto stated = read_lora_hashes(source.origin.infotext.field(kLoraHashes).value_or(""));
  std::set<std::string> said;
  for (const ImageJob& job : jobs) {
    for (const auto& [name, hash] : read_lora_hashes(lora_hashes(job.request.settings.loras))) {
      const auto then = stated.find(name);
      if (then == stated.end() || then->second == hash || !said.insert(name).second) continue;
      say(source.file + " was made with another LoRA " + in_quotes(name) + ": expected the hash " +
          in_quotes(then->second) + ", found " + hash + "; the picture will be another one");
    }
  }
}

bool is_out_of_proportion(const SourceImage& source, const ImageSettings& settings,
                          const BundleInfo& info) {
  constexpr double kModestTimes = 16;
  if (!source.gives_size || settings.width_px == 0) return false;
  const double pixels = static_cast<double>(settings.width_px) * settings.height_px;
  return pixels > kModestTimes * info.native_size_px * info.native_size_px;
}

void check_own_size(const SourceImage& source, const ImageSettings& settings,
                    const BundleInfo& info, const Generator& generator) {
  constexpr double kMostPixels = 4096.0 * 4096.0;
  if (!is_out_of_proportion(source, settings, info)) return;
  const double pixels = static_cast<double>(settings.width_px) * settings.height_px;
  const double native = static_cast<double>(info.native_size_px) * info.native_size_px;
  const std::string size =
      std::to_string(settings.width_px) + "x" + std::to_string(settings.height_px);
  const std::string advised =
      std::to_string(info.native_size_px) + "x" + std::to_string(info.native_size_px);
  const std::string text =
      source.file + ": its size is " + size + ", " + std::to_string(std::lround(pixels / native)) +
      " times the pixels that " + info.name + " was made for, which takes about " +
      bytes_text(static_cast<std::uint64_t>(generator.estimate_bytes(settings))) + " of memory";
  if (pixels > kMostPixels) {
    throw UsageError("--from-image " + text + "; type --size " + advised + ", or --size " + size +
                     " if it is meant");
  }
  say(text + "; --size " + advised + " is quicker");
}

}  // namespace sdx
