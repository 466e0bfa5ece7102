#include "cli/train/portrait_table.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// How the camera's tag turned a picture, by its EXIF orientation 1 … 8.
int turned_degrees(int exif_orientation) {
  constexpr std::array<int, 9> kDegrees = {0, 0, 0, 180, 180, 90, 90, 270, 270};
  return kDegrees.at(static_cast<std::size_t>(std::clamp(exif_orientation, 0, 8)));
}

bool is_mirrored(int exif_orientation) {
  return exif_orientation == 2 || exif_orientation == 4 || exif_orientation == 5 ||
         exif_orientation == 7;
}

std::string size_text(int width_px, int height_px) {
  return std::to_string(width_px) + "x" + std::to_string(height_px);
}

std::string face_text(const Portrait& portrait) {
  if (!portrait.face) return "none";
  const Rect& box = portrait.face->box;
  return size_text(box.width_px, box.height_px) + "+" + std::to_string(box.x_px) + "+" +
         std::to_string(box.y_px) +
         (portrait.faces > 1 ? " of " + std::to_string(portrait.faces) : "");
}

std::string verdict(const Portrait& portrait) {
  if (!portrait.used()) return "skipped: " + portrait.problem;
  const std::string side = std::to_string(portrait.area.width_px) + " px ";
  std::string text = "used, whole";
  if (portrait.crop == Crop::kFace) text = "used, " + side + "around the face";
  if (portrait.crop == Crop::kCentre) text = "used, " + side + "from the middle";
  if (portrait.is_blurred) text += "; blurred";
  if (portrait.is_stray) text += "; someone else";
  return text;
}

using Row = std::array<std::string, 6>;

Row make_row(const Portrait& portrait) {
  const std::string file = portrait.file.filename().string();
  if (portrait.width_px == 0) return {file, "", "", "", "", verdict(portrait)};
  const int orientation = portrait.exif_orientation;
  return {
      file,
      size_text(portrait.width_px, portrait.height_px),
      std::to_string(turned_degrees(orientation)) + (is_mirrored(orientation) ? " mirrored" : ""),
      face_text(portrait),
      std::to_string(std::lround(portrait.sharpness)),
      verdict(portrait)};
}

void show_table(const std::vector<Portrait>& portraits) {
  std::vector<Row> rows = {{"file", "size", "turned", "face", "sharp", "verdict"}};
  for (const Portrait& portrait : portraits) rows.push_back(make_row(portrait));
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      line += "  " + row[i] + std::string(widths[i] - row[i].size(), ' ');
    }
    say(line + "  " + row.back());
  }
}

Json to_json(const Portrait& portrait) {
  Json face = nullptr;
  if (portrait.face) {
    const Rect& box = portrait.face->box;
    face = {{"x_px", box.x_px},
            {"y_px", box.y_px},
            {"width_px", box.width_px},
            {"height_px", box.height_px},
            {"score", portrait.face->score}};
  }
  return {{"file", portrait.file.filename().string()},
          {"used", portrait.used()},
          {"problem", portrait.problem},
          {"width_px", portrait.width_px},
          {"height_px", portrait.height_px},
          {"turned_degrees", turned_degrees(portrait.exif_orientation)},
          {"mirrored", is_mirrored(portrait.exif_orientation)},
          {"faces", portrait.faces},
          {"face", face},
          {"crop", to_string(portrait.crop)},
          {"sharpness", portrait.sharpness},
          {"blurred", portrait.is_blurred},
          {"stray", portrait.is_stray}};
}

/// What the table does not say by itself: how many faces, by what; who else is there.
void show_summary(const SubjectPortraits& subject) {
  const std::vector<Portrait>& portraits = subject.portraits;
  const auto count = [&](auto holds) {
    return std::to_string(std::count_if(portraits.begin(), portraits.end(), holds));
  };
  const std::string used = count([](const Portrait& portrait) { return portrait.used(); });
  const std::string faces = count([](const Portrait& portrait) { return portrait.faces > 0; });
  const std::string all = std::to_string(portraits.size());
  say(used + " of " + all + " files used; " +
      (subject.face_finder.empty() ? "no face finder is installed (package opencv-data)"
                                   : subject.face_finder + " found a face in " + faces));
  if (subject.strays.empty()) return;
  std::vector<std::string> names;
  for (const std::size_t i : subject.strays) names.push_back(portraits[i].file.filename().string());
  say(std::to_string(subject.strays.size()) + " of " + used + " pictures " +
      (subject.strays.size() == 1 ? "shows" : "show") + " someone else: " + join(names, ", ") +
      ". They are used; take them out of the folder if that is not meant");
}

}  // namespace

void show_portraits(const SubjectPortraits& subject, const SubjectOptions& options,
                    const CommonOptions& common) {
  show_table(subject.portraits);
  for (const Portrait& portrait : subject.portraits) say_json(common, to_json(portrait));
  show_summary(subject);
  if (options.portraits.face == FaceChoice::kMatch && !subject.tells_people_apart) {
    say("--face match needs something that tells faces apart, which is not here: "
        "of several faces the largest is taken");
  }
}

}  // namespace sdx
