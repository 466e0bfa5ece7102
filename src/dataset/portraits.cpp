#include "sdx/dataset/portraits.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "sdx/image/decode.h"
#include "sdx/image/quality.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Whether a file's name says that it is a picture, in a format that is read here or not. Folders
/// of portraits also hold captions, thumbnails' databases and sidecars, which concern nobody.
bool is_named_as_image(const fs::path& file) {
  constexpr auto kEndings = std::to_array<std::string_view>(
      {".jpg",  ".jpeg", ".jpe",  ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif",
       ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2",  ".raw", ".dng", ".cr2",
       ".cr3",  ".nef",  ".arw",  ".orf",  ".rw2", ".psd",  ".svg"});
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

std::vector<fs::path> visible_files(const fs::path& folder) {
  if (!fs::exists(folder)) {
    throw MissingInputError(folder.string() + ": no such folder of portraits");
  }
  if (!fs::is_directory(folder)) {
    throw MissingInputError(folder.string() + ": expected a folder of portraits, found a file");
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const bool hidden = entry.path().filename().string().starts_with('.');
    if (!hidden && !entry.is_directory()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A square picture whose face takes less of it than this is no portrait yet. One with a larger face
// was cropped by somebody who wanted it so, or made so, like the built-in model's cartoons.
constexpr double kSmallFace = 0.25;

/// One of the faces of a picture (or none of them), and the square that is taken for it.
struct Candidate {
  std::optional<Face> face;
  Rect area;
  Crop crop = Crop::kNone;
  double sharpness = 0;
  Image image;
  std::vector<float> identity;
};

struct Loaded {
  Portrait portrait;
  std::vector<Candidate> candidates;  ///< several only for FaceChoice::kMatch
};

std::pair<Rect, Crop> choose_area(const Image& image, const std::optional<Face>& face,
                                  Crop requested) {
  const int width_px = image.width_px;
  const int height_px = image.height_px;
  const int longer_px = std::max(width_px, height_px);
  const bool is_square = width_px == height_px;
  const bool is_small = face && face->box.height_px < kSmallFace * longer_px;
  if (requested == Crop::kFace && face && (!is_square || is_small)) {
    return {portrait_square(face->box, width_px, height_px), Crop::kFace};
  }
  if (requested == Crop::kNone || is_square) {
    return {{(width_px - longer_px) / 2, (height_px - longer_px) / 2, longer_px, longer_px},
            Crop::kNone};
  }
  return {centre_square(width_px, height_px), Crop::kCentre};
}

/// What identity encoders look at: the face in the picture's own pixels, whatever the square is.
Image identity_view(const Image& image, const Candidate& candidate) {
  if (!candidate.face) return crop_beyond(image, candidate.area);
  return crop(image, portrait_square(candidate.face->box, image.width_px, image.height_px));
}

Candidate cut(const Image& image, const std::optional<Face>& face, const PortraitOptions& options,
              const IdentityEncoder* identity) {
  Candidate candidate;
  candidate.face = face;
  std::tie(candidate.area, candidate.crop) = choose_area(image, face, options.crop);
  const Image square = crop_beyond(image, candidate.area);
  candidate.sharpness = sharpness(square);
  candidate.image = resize(square, options.size_px, options.size_px);
  if (identity != nullptr) {
    candidate.identity =
        identity->encode(identity_view(image, candidate)).value_or(std::vector<float>());
  }
  return candidate;
}

double distance_to_middle(const Rect& box, const Image& image) {
  return std::hypot(box.x_px + (box.width_px - image.width_px) / 2.0,
                    box.y_px + (box.height_px - image.height_px) / 2.0);
}

/// The faces of which one will be taken: all of them if the other pictures have to decide.
std::vector<std::optional<Face>> faces_to_try(const Image& image, const std::vector<Face>& found,
                                              FaceChoice choice, bool can_match) {
  if (found.empty()) return {std::nullopt};
  if (choice == FaceChoice::kMatch && can_match) return {found.begin(), found.end()};
  if (choice != FaceChoice::kCentre) return {found.front()};
  return {*std::min_element(found.begin(), found.end(), [&](const Face& a, const Face& b) {
    return distance_to_middle(a.box, image) < distance_to_middle(b.box, image);
  })};
}

Loaded load_portrait(const fs::path& file, const PortraitOptions& options, const FaceFinder* finder,
                     const IdentityEncoder* identity) {
  Loaded loaded;
  Portrait& portrait = loaded.portrait;
  portrait.file = file;
  DecodedImage decoded;
  try {
    decoded = decode_image(file);
  } catch (const DataError& error) {
    const bool is_image = is_named_as_image(file);
    if (options.strict && is_image) throw DataError(file.string() + ": " + error.what());
    portrait.problem = is_image ? error.what() : "no picture";
    return loaded;
  } catch (const Error& error) {
    if (options.strict) throw Error(error.exit_code(), file.string() + ": " + error.what());
    portrait.problem = error.what();
    return loaded;
  }
  const Image& image = decoded.image;
  portrait.width_px = image.width_px;
  portrait.height_px = image.height_px;
  portrait.exif_orientation = decoded.exif_orientation;
  const std::vector<Face> found = finder != nullptr ? finder->find(image) : std::vector<Face>();
  portrait.faces = static_cast<int>(found.size());
  for (const auto& face : faces_to_try(image, found, options.face, identity != nullptr)) {
    loaded.candidates.push_back(cut(image, face, options, identity));
  }
  return loaded;
}

/// The cosine of a face with the likest of another picture; −1 where none is known.
double nearest_cosine(const Candidate& face, const std::vector<Candidate>& others) {
  double nearest = -1;
  for (const Candidate& other : others) {
    if (other.identity.empty()) continue;
    nearest = std::max(nearest, cosine(face.identity, other.identity));
  }
  return nearest;
}

/// Which candidate's person recurs: it is the most like the likest faces of all other pictures.
std::size_t best_match(const std::vector<Loaded>& all, const Loaded& loaded_image) {
  std::size_t best = 0;
  double best_support = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < loaded_image.candidates.size(); ++i) {
    if (loaded_image.candidates[i].identity.empty()) continue;
    double support = 0;
    for (const Loaded& other : all) {
      if (&other != &loaded_image)
        support += nearest_cosine(loaded_image.candidates[i], other.candidates);
    }
    if (support > best_support) {
      best_support = support;
      best = i;
    }
  }
  return best;
}

Portrait with_candidate(Portrait portrait, Candidate candidate, int size_px) {
  portrait.face = candidate.face;
  portrait.crop = candidate.crop;
  portrait.area = candidate.area;
  portrait.sharpness = candidate.sharpness;
  portrait.is_blurred = is_blurred(candidate.sharpness);
  portrait.identity = std::move(candidate.identity);
  const int smallest_px = std::max(size_px / 4, 1);
  const int side_px = std::min({portrait.width_px, portrait.height_px, portrait.area.width_px});
  if (side_px >= smallest_px) {
    portrait.image = std::move(candidate.image);
    return portrait;
  }
  const bool is_face = side_px < std::min(portrait.width_px, portrait.height_px);
  portrait.problem = std::string("too small: ") +
                     (is_face ? "the square around its face has " : "its shorter side has ") +
                     std::to_string(side_px) + " px, at least " + std::to_string(smallest_px) +
                     " are needed";
  return portrait;
}

/// Of a picture that is there more than once the largest counts.
void drop_copies(std::vector<Portrait>& portraits, const std::vector<Fingerprint>& prints) {
  const auto pixels = [](const Portrait& portrait) {
    return std::int64_t{portrait.width_px} * portrait.height_px;
  };
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < portraits.size(); ++i) {
    if (!portraits[i].used()) continue;
    const auto first = std::find_if(kept.begin(), kept.end(), [&](std::size_t k) {
      return is_same_image(prints[k], prints[i]);
    });
    if (first == kept.end()) {
      kept.push_back(i);
      continue;
    }
    std::size_t copy = i;
    if (pixels(portraits[i]) > pixels(portraits[*first])) std::swap(*first, copy);
    portraits[copy].problem = "the same picture as " + portraits[*first].file.filename().string();
    portraits[copy].image = {};
  }
}

}  // namespace

std::vector<Portrait> load_portraits(const fs::path& folder, const PortraitOptions& options,
                                     const FaceFinder* faces, const IdentityEncoder* identity) {
  std::vector<Loaded> all;
  for (const fs::path& file : visible_files(folder)) {
    all.push_back(load_portrait(file, options, faces, identity));
  }
  std::vector<std::size_t> selected;
  for (const Loaded& loaded : all) selected.push_back(best_match(all, loaded));
  std::vector<Portrait> portraits;
  std::vector<Fingerprint> prints;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Portrait portrait = std::move(all[i].portrait);
    if (portrait.used()) {
      portrait = with_candidate(std::move(portrait), std::move(all[i].candidates[selected[i]]),
                                options.size_px);
      if (options.strict && !portrait.used()) {
        throw DataError(portrait.file.string() + ": " + portrait.problem);
      }
    }
    prints.push_back(portrait.used() ? fingerprint(portrait.image) : Fingerprint());
    portraits.push_back(std::move(portrait));
  }
  drop_copies(portraits, prints);
  return portraits;
}

namespace {

/// ". There are 6 pictures in 10_ada: name that folder", where it is so.
std::string describe_folders_inside(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.is_directory(ignored)) continue;
    std::size_t count = 0;
    for (const auto& inside : fs::directory_iterator(entry.path(), ignored)) {
      if (is_named_as_image(inside.path())) ++count;
    }
    if (count == 0) continue;
    return ". There " + std::string(count == 1 ? "is " : "are ") +
           count_in_words(count, "picture", "pictures") + " in " + entry.path().string() +
           ": name that folder";
  }
  return "";
}

std::string describe_problems(const std::vector<Portrait>& portraits) {
  constexpr std::size_t kMostShown = 8;
  std::vector<std::string> problems;
  std::size_t count = 0;
  for (const Portrait& portrait : portraits) {
    if (portrait.used() || ++count > kMostShown) continue;
    problems.push_back(portrait.file.filename().string() + ": " + portrait.problem);
  }
  if (count == 0) return "";
  return ". Not used: " + join(problems, "; ") +
         (count > kMostShown ? "; and " + std::to_string(count - kMostShown) + " more" : "");
}

}  // namespace

void check_enough_portraits(const fs::path& folder, const std::vector<Portrait>& portraits) {
  const auto used = std::count_if(portraits.begin(), portraits.end(),
                                  [](const Portrait& portrait) { return portrait.used(); });
  if (used >= kFewestPortraits) return;
  const std::string problems = describe_problems(portraits);
  throw MissingInputError(
      folder.string() + ": expected at least " + std::to_string(kFewestPortraits) +
      " usable portraits, found " + std::to_string(used) +
      (problems.empty() ? " in a folder of " + count_in_words(portraits.size(), "file", "files")
                        : problems) +
      describe_folders_inside(folder));
}

Rect in_square(const Portrait& portrait, const Rect& area) {
  const double scale = static_cast<double>(portrait.image.width_px) / portrait.area.width_px;
  const auto scaled = [scale](int length) { return static_cast<int>(std::lround(length * scale)); };
  return {scaled(area.x_px - portrait.area.x_px), scaled(area.y_px - portrait.area.y_px),
          scaled(area.width_px), scaled(area.height_px)};
}

}  // namespace sdx
