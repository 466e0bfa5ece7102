#include "sdx/roster/team_images.h"

#include <algorithm>
#include <set>

#include "sdx/generation/embedding_names.h"
#include "sdx/generation/infotext.h"
#include "sdx/generation/infotext_format.h"
#include "sdx/image/format.h"
#include "sdx/image/metadata.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeyDigits = 8;

constexpr const char* kAuto = "auto";
constexpr const char* kPrecisionField = "Precision";

/// What decides a picture's pixels but the version of the program and its place in a batch. The
/// dtype is left out: it has a part of its own.
std::string text_of_pixels(const ImageRequest& request, const Bundle& bundle,
                           const EmbeddingTable& words) {
  std::string text = format_infotext(infotext(request, bundle, words, "", {}));
  if (const auto& start = request.settings.start) {
    const auto add = [&text](const Image& image) {
      text.append(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
    };
    add(start->image);
    if (start->mask) add(*start->mask);
  }
  return text;
}

/// What else decides the bytes, where it was chosen. Empty with the defaults: then the key is the
/// one that commit 4ce8870 made. The format is in the file's name anyway.
std::string text_of_choices(const ImageEncoding& encoding, const std::string& dtype) {
  std::string text;
  if (dtype != kAuto) text += "\ndtype: " + dtype;
  if (encoding.quality != 0 && encoding.format != ImageFormat::kPng) {
    text += "\nquality: " + std::to_string(encoding.quality);
  }
  return text;
}

std::string key_of(const std::string& text) { return sha256_hex(text).substr(0, kKeyDigits); }

/// In which type the networks computed a picture, as its metadata say.
std::string precision_in(const fs::path& file) {
  try {
    const auto parameters = read_parameters(file);
    if (!parameters) return "";
    return parse_infotext(*parameters).field(kPrecisionField).value_or("fp32");
  } catch (const DataError&) {
    return "";  // a damaged file is not the picture that is wanted
  }
}

/// Whether the picture is there, under either name.
bool is_present(const TeamFolder& team, const TeamImage& picture) {
  if (fs::exists(team.root / picture.file)) return true;
  const fs::path former = team.root / picture.former_file;
  return !picture.former_file.empty() && fs::exists(former) &&
         precision_in(former) == picture.precision;
}

}  // namespace

std::vector<TeamImage> list_team_images(const std::vector<ImageRequest>& requests,
                                        const Bundle& bundle, const EmbeddingTable& words,
                                        const ImageEncoding& encoding, const std::string& dtype) {
  const std::string choices = text_of_choices(encoding, dtype);
  std::vector<TeamImage> pictures;
  std::set<fs::path> known;
  for (const ImageRequest& request : requests) {
    if (!find_missing_embedding(request, words).empty()) continue;
    TeamImage picture{request, placeholder_names(request.prompt), {}, {}, {}};
    const std::string text = text_of_pixels(request, bundle, words);
    const auto file_with = [&](const std::string& key) {
      return fs::path("pictures") / pictures_folder(picture.names) /
             (slug(request.prompt) + "-" + std::to_string(request.seed) + "-" + key +
              std::string(file_extension(encoding.format)));
    };
    picture.file = file_with(key_of(text + choices));
    // A quality that was chosen cannot be read out of a file that was made then.
    if (dtype != kAuto && text_of_choices(encoding, kAuto).empty()) {
      picture.former_file = file_with(key_of(text));
      picture.precision = dtype;
    }
    if (known.insert(picture.file).second) pictures.push_back(std::move(picture));
  }
  return pictures;
}

int count_present(const TeamFolder& team, const std::vector<TeamImage>& pictures) {
  return static_cast<int>(pictures.size()) - count_missing(team, pictures);
}

int count_missing(const TeamFolder& team, const std::vector<TeamImage>& pictures) {
  return static_cast<int>(
      std::count_if(pictures.begin(), pictures.end(),
                    [&](const TeamImage& picture) { return !is_present(team, picture); }));
}

void make_images(const Generator& generator, const Bundle& bundle, const TeamFolder& team,
                 const std::vector<TeamImage>& pictures, const EmbeddingTable& words,
                 const ImageEncoding& encoding, const std::string& version,
                 const ImageEvents& events) {
  for (auto begin = pictures.begin(); begin != pictures.end();) {
    const int batch = generator.steady_batch_size(begin->request.settings);
    const auto end = begin + std::min<std::ptrdiff_t>(batch, pictures.end() - begin);
    const std::vector<TeamImage> chunk(begin, end);
    begin = end;
    if (count_missing(team, chunk) == 0) continue;
    std::vector<ImageRequest> requests;
    for (const TeamImage& picture : chunk) {
      requests.push_back(picture.request);
      prepare_output_folder((team.root / picture.file).parent_path());
    }
    generator.generate(
        requests, words, {batch, std::nullopt},
        [&](std::size_t index, const GeneratedImage& made) {
          const fs::path file = team.root / chunk[index].file;
          if (is_present(team, chunk[index])) return;
          const Infotext text = infotext(requests[index], bundle, words, version, made.making);
          write_image(file, made.image, encoding, {format_infotext(text), true});
          if (events.picture) events.picture(chunk[index]);
        },
        events.step);
  }
}

}  // namespace sdx
