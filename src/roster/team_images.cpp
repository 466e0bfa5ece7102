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
                           const EmbeddingTable& embeddings) {
  std::string text = format_infotext(infotext(request, bundle, embeddings, "", {}));
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

std::string make_key(const std::string& text) { return sha256_hex(text).substr(0, kKeyDigits); }

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
bool is_present(const TeamFolder& team, const TeamImage& team_image) {
  if (fs::exists(team.root / team_image.file)) return true;
  const fs::path former = team.root / team_image.former_file;
  return !team_image.former_file.empty() && fs::exists(former) &&
         precision_in(former) == team_image.precision;
}

}  // namespace

std::vector<TeamImage> list_team_images(const std::vector<ImageRequest>& requests,
                                        const Bundle& bundle, const EmbeddingTable& embeddings,
                                        const ImageEncoding& encoding, const std::string& dtype) {
  const std::string choices = text_of_choices(encoding, dtype);
  std::vector<TeamImage> images;
  std::set<fs::path> known;
  for (const ImageRequest& request : requests) {
    if (!find_missing_embedding(request, embeddings).empty()) continue;
    TeamImage team_image{request, placeholder_names(request.prompt, embeddings), {}, {}, {}};
    // As the embeddings' names are written: one folder for both forms of an accent.
    for (std::string& name : team_image.names) name = embeddings.at(name).name;
    const std::string text = text_of_pixels(request, bundle, embeddings);
    const auto file_with = [&](const std::string& key) {
      return fs::path("pictures") / images_folder(team_image.names) /
             (slug(request.prompt) + "-" + std::to_string(request.seed) + "-" + key +
              std::string(file_extension(encoding.format)));
    };
    team_image.file = file_with(make_key(text + choices));
    // A quality that was chosen cannot be read out of a file that was made then.
    if (dtype != kAuto && text_of_choices(encoding, kAuto).empty()) {
      team_image.former_file = file_with(make_key(text));
      team_image.precision = dtype;
    }
    if (known.insert(team_image.file).second) images.push_back(std::move(team_image));
  }
  return images;
}

int count_present(const TeamFolder& team, const std::vector<TeamImage>& images) {
  return static_cast<int>(images.size()) - count_missing(team, images);
}

int count_missing(const TeamFolder& team, const std::vector<TeamImage>& images) {
  return static_cast<int>(
      std::count_if(images.begin(), images.end(),
                    [&](const TeamImage& team_image) { return !is_present(team, team_image); }));
}

void make_images(const Generator& generator, const Bundle& bundle, const TeamFolder& team,
                 const std::vector<TeamImage>& images, const EmbeddingTable& embeddings,
                 const ImageEncoding& encoding, const std::string& version,
                 ImageObserver& observer) {
  for (auto begin = images.begin(); begin != images.end();) {
    const int batch = generator.steady_batch_size(begin->request.settings);
    const auto end = begin + std::min<std::ptrdiff_t>(batch, images.end() - begin);
    const std::vector<TeamImage> chunk(begin, end);
    begin = end;
    if (count_missing(team, chunk) == 0) continue;
    std::vector<ImageRequest> requests;
    for (const TeamImage& team_image : chunk) {
      requests.push_back(team_image.request);
      prepare_output_folder((team.root / team_image.file).parent_path());
    }
    generator.generate(
        requests, embeddings, {batch, std::nullopt},
        [&](std::size_t index, const GeneratedImage& made) {
          const fs::path file = team.root / chunk[index].file;
          if (is_present(team, chunk[index])) return;
          const Infotext text =
              infotext(requests[index], bundle, embeddings, version, made.generation_info);
          write_image(file, made.image, encoding, {format_infotext(text), true});
          observer.on_image(chunk[index]);
        },
        [&](int done, int total) { observer.on_image_step(done, total); });
  }
}

}  // namespace sdx
