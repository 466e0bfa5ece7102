#include "sdx/dataset/portraits.h"

#include <algorithm>
#include <map>
#include <span>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

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

/// The square that is taken of a picture, and why that one.
std::pair<Rect, Crop> choose_area(const Image& image, const FaceFinder* faces) {
  if (image.width_px == image.height_px) {
    return {{0, 0, image.width_px, image.height_px}, Crop::kNone};
  }
  if (faces != nullptr) {
    const std::vector<Face> found = faces->find(image);
    if (!found.empty()) {
      return {portrait_square(found.front().box, image.width_px, image.height_px), Crop::kFace};
    }
  }
  return {centre_square(image.width_px, image.height_px), Crop::kCentre};
}

Portrait load_portrait(const fs::path& file, int size_px, const FaceFinder* faces) {
  Portrait portrait;
  portrait.file = file;
  DecodedImage decoded;
  try {
    decoded = decode_image(file);
  } catch (const Error& error) {
    portrait.problem = error.what();
    return portrait;
  }
  portrait.width_px = decoded.image.width_px;
  portrait.height_px = decoded.image.height_px;
  portrait.exif_orientation = decoded.exif_orientation;
  const int smallest_px = std::max(size_px / 4, 1);
  const int side_px = std::min(portrait.width_px, portrait.height_px);
  if (side_px < smallest_px) {
    portrait.problem = "too small: its shorter side has " + std::to_string(side_px) +
                       " px, at least " + std::to_string(smallest_px) + " are needed";
    return portrait;
  }
  std::tie(portrait.area, portrait.crop) = choose_area(decoded.image, faces);
  portrait.image = resize(crop(decoded.image, portrait.area), size_px, size_px);
  return portrait;
}

}  // namespace

std::string_view to_string(Crop crop) {
  switch (crop) {
    case Crop::kNone:
      return "whole";
    case Crop::kFace:
      return "face";
    case Crop::kCentre:
      return "centre";
  }
  return "";
}

std::vector<Portrait> load_portraits(const fs::path& folder, int size_px, const FaceFinder* faces) {
  std::vector<Portrait> portraits;
  std::map<std::string, fs::path> seen;
  for (const fs::path& file : visible_files(folder)) {
    Portrait portrait = load_portrait(file, size_px, faces);
    if (portrait.used()) {
      const std::string hash = sha256_hex(std::as_bytes(std::span(portrait.image.rgb)));
      const auto [first, is_new] = seen.emplace(hash, file);
      if (!is_new) {
        portrait.problem = "the same picture as " + first->second.filename().string();
        portrait.image = {};
      }
    }
    portraits.push_back(std::move(portrait));
  }
  return portraits;
}

void check_enough_portraits(const fs::path& folder, const std::vector<Portrait>& portraits) {
  const auto used = std::count_if(portraits.begin(), portraits.end(),
                                  [](const Portrait& portrait) { return portrait.used(); });
  if (used >= kFewestPortraits) return;
  std::vector<std::string> problems;
  for (const Portrait& portrait : portraits) {
    if (!portrait.used()) {
      problems.push_back(portrait.file.filename().string() + ": " + portrait.problem);
    }
  }
  throw MissingInputError(
      folder.string() + ": expected at least " + std::to_string(kFewestPortraits) +
      " usable portraits, found " + std::to_string(used) +
      (problems.empty()
           ? std::string(" in a folder of ") + std::to_string(portraits.size()) + " files"
           : ". Not used: " + join(problems, "; ")));
}

}  // namespace sdx
