#include "sdx/roster/team_pictures.h"

#include <algorithm>
#include <set>

#include "sdx/generation/infotext.h"
#include "sdx/generation/words.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeyDigits = 8;

/// Of all that decides a picture but the version of the program and its place in a batch.
std::string key_of(const ImageRequest& request, const Bundle& bundle, const EmbeddingTable& words) {
  std::string text = format_infotext(infotext(request, bundle, words, "", {}));
  if (const auto& start = request.settings.start) {
    const auto add = [&text](const Image& image) {
      text.append(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
    };
    add(start->image);
    if (start->mask) add(*start->mask);
  }
  return sha256_hex(text).substr(0, kKeyDigits);
}

}  // namespace

std::vector<TeamPicture> team_pictures(const std::vector<ImageRequest>& requests,
                                       const Bundle& bundle, const EmbeddingTable& words,
                                       const ImageEncoding& encoding) {
  std::vector<TeamPicture> pictures;
  std::set<fs::path> known;
  for (const ImageRequest& request : requests) {
    if (!missing_word(request, words).empty()) continue;
    TeamPicture picture{request, placeholder_names(request.prompt), {}};
    const std::string name = slug(request.prompt) + "-" + std::to_string(request.seed) + "-" +
                             key_of(request, bundle, words) +
                             std::string(file_extension(encoding.format));
    picture.file = fs::path("pictures") / pictures_folder(picture.names) / name;
    if (known.insert(picture.file).second) pictures.push_back(std::move(picture));
  }
  return pictures;
}

int count_present(const TeamFolder& team, const std::vector<TeamPicture>& pictures) {
  return static_cast<int>(pictures.size()) - count_missing(team, pictures);
}

int count_missing(const TeamFolder& team, const std::vector<TeamPicture>& pictures) {
  return static_cast<int>(std::count_if(
      pictures.begin(), pictures.end(),
      [&](const TeamPicture& picture) { return !fs::exists(team.root / picture.file); }));
}

void make_pictures(const Generator& generator, const Bundle& bundle, const TeamFolder& team,
                   const std::vector<TeamPicture>& pictures, const EmbeddingTable& words,
                   const ImageEncoding& encoding, const std::string& version,
                   const PictureEvents& events) {
  for (auto begin = pictures.begin(); begin != pictures.end();) {
    const int batch = generator.steady_batch_size(begin->request.settings);
    const auto end = begin + std::min<std::ptrdiff_t>(batch, pictures.end() - begin);
    const std::vector<TeamPicture> chunk(begin, end);
    begin = end;
    if (count_missing(team, chunk) == 0) continue;
    std::vector<ImageRequest> requests;
    for (const TeamPicture& picture : chunk) {
      requests.push_back(picture.request);
      prepare_output_folder((team.root / picture.file).parent_path());
    }
    generator.generate(
        requests, words, {batch, std::nullopt},
        [&](std::size_t index, const GeneratedImage& made) {
          const fs::path file = team.root / chunk[index].file;
          if (fs::exists(file)) return;
          const Infotext text = infotext(requests[index], bundle, words, version, made.making);
          write_image(file, made.image, encoding, {format_infotext(text), true});
          if (events.picture) events.picture(chunk[index]);
        },
        events.step);
  }
}

}  // namespace sdx
