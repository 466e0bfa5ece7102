#include "roster/team_gallery.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "sdx/generation/infotext_format.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/decode.h"
#include "sdx/image/format.h"
#include "sdx/image/metadata.h"
#include "sdx/image/transform.h"
#include "sdx/image/write.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/lock.h"
#include "sdx/util/name.h"
#include "sdx/util/remove.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kLockPollInterval{100};

bool is_image(const fs::path& file) {
  const std::string extension = file.extension().string();
  for (const ImageFormat format : writable_formats()) {
    if (extension == file_extension(format)) return true;
  }
  return false;
}

/// One process writes the page at a time: it also removes thumbnails that nothing shows.
std::unique_ptr<FileLock> lock_page(const TeamFolder& team) {
  try {
    return std::make_unique<FileLock>(team.root / ".gallery.lock", team.root.string());
  } catch (const TryAgainError&) {
    return nullptr;
  }
}

std::uint64_t whole_number(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// What the page says of a picture, by the picture's own metadata; nothing if it has none.
/// @throws DataError if the file is no whole picture.
std::optional<GalleryImage> gallery_image(const TeamFolder& team, const fs::path& file,
                                          const EmbeddingSizes& people) {
  const auto parameters = read_parameters(team.root / file);
  if (!parameters) return std::nullopt;
  const Infotext text = parse_infotext(*parameters);
  GalleryImage image;
  image.file = file;
  image.names = placeholder_names(text.prompt, people);
  image.prompt = text.prompt;
  image.negative_prompt = text.negative_prompt;
  image.seed = whole_number(text.field("Seed").value_or("0"));
  image.settings = text.field("Sampler").value_or("?") + ", " + text.field("Steps").value_or("?") +
                   " steps, guidance " + text.field("CFG scale").value_or("?");
  const double scale =
      std::strtod(text.field("Hires upscale").value_or("1").c_str(), nullptr) *
      std::strtod(text.field("Postprocess upscale by").value_or("1").c_str(), nullptr);
  std::sscanf(text.field("Size").value_or("").c_str(), "%dx%d", &image.width_px, &image.height_px);
  image.width_px = static_cast<int>(std::lround(image.width_px * scale));
  image.height_px = static_cast<int>(std::lround(image.height_px * scale));
  return image;
}

/// Writes the first portrait that a training has used, cropped as the training saw it. Without the
/// camera's metadata, since only pixels are copied.
void copy_portrait(const TeamFolder& team, const std::string& name) {
  const fs::path sheet_file = team.training(name) / "portraits.png";
  const fs::path target = team.portrait(name);
  if (!fs::exists(sheet_file)) return;
  if (fs::exists(target) && fs::last_write_time(target) >= fs::last_write_time(sheet_file)) return;
  Image sheet;
  try {
    sheet = decode_image(sheet_file).image;
  } catch (const DataError&) {
    return;  // one damaged file must not cost everybody the page
  }
  const Rect place = place_in_first_row(0);
  if (sheet.width_px < place.x_px + place.width_px ||
      sheet.height_px < place.y_px + place.height_px) {
    return;  // made by something else
  }
  prepare_output_folder(target.parent_path());
  write_image(target, crop(sheet, place), {ImageFormat::kWebp}, {});
}

}  // namespace

TeamGallery::TeamGallery(TeamFolder folder, std::string title, std::vector<std::string> people,
                         const std::vector<std::string>& prompts)
    : folder_(std::move(folder)), title_(std::move(title)), people_(std::move(people)) {
  for (const std::string& prompt : prompts) order_.emplace(prompt, order_.size());
}

void TeamGallery::add(const fs::path& file) {
  try {
    std::map<std::string, int> people;
    for (const std::string& name : people_) people.emplace(name, 0);
    if (auto image = gallery_image(folder_, file, people)) {
      for (std::string& name : image->names) name = find_person(name);
      images_.insert_or_assign(file, std::move(*image));
    }
  } catch (const Error&) {
    // Not a whole picture: nothing to show.
  }
}

/// A name as the person's is written, whose accents a prompt may spell in another form.
std::string TeamGallery::find_person(const std::string& name) const {
  const auto found = std::find_if(people_.begin(), people_.end(), [&name](const auto& person) {
    return is_same_name(person, name);
  });
  return found == people_.end() ? name : *found;
}

void TeamGallery::find_images() {
  std::set<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.images())) {
    if (entry.is_regular_file() && is_image(entry.path())) {
      found.insert(entry.path().lexically_relative(folder_.root));
    }
  }
  std::erase_if(images_, [&](const auto& known) { return !found.contains(known.first); });
  for (const fs::path& file : found) {
    if (!images_.contains(file)) add(file);
  }
}

Gallery TeamGallery::gallery() const {
  Gallery gallery;
  gallery.title = title_;
  for (const std::string& name : people_) {
    const auto note = notes_.find(name);
    gallery.people.push_back({name, note == notes_.end() ? "" : note->second});
    const fs::path portrait = folder_.portrait(name);
    if (fs::exists(portrait)) {
      gallery.people.back().portrait = portrait.lexically_relative(folder_.root);
    }
  }
  const auto has_left = [this](const std::string& name) {
    const bool is_there = std::find(people_.begin(), people_.end(), name) != people_.end();
    return !is_there && fs::exists(folder_.person(name));
  };
  for (const auto& [file, image] : images_) {
    if (std::none_of(image.names.begin(), image.names.end(), has_left)) {
      gallery.images.push_back(image);
    }
  }
  const auto place = [this](const GalleryImage& image) {
    const auto found = order_.find(image.prompt);
    return found == order_.end() ? order_.size() : found->second;
  };
  std::stable_sort(gallery.images.begin(), gallery.images.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return gallery;
}

/// Copies the portraits that may be shown, and removes the others.
void TeamGallery::update_portraits() const {
  if (!portraits_allowed_) return;
  if (fs::is_directory(folder_.portraits())) {
    std::vector<fs::path> others;
    for (const auto& entry : fs::directory_iterator(folder_.portraits())) {
      const std::string owner = entry.path().filename().string();
      const bool is_allowed =
          std::any_of(portraits_allowed_->begin(), portraits_allowed_->end(),
                      [&](const std::string& name) { return is_same_name(name, owner); });
      if (!is_allowed) others.push_back(entry.path().lexically_relative(folder_.root));
    }
    for (const fs::path& other : others) remove_inside(folder_.root, other);
  }
  for (const std::string& name : *portraits_allowed_) copy_portrait(folder_, name);
}

Gallery TeamGallery::look() {
  find_images();
  return gallery();
}

void TeamGallery::write_locked() {
  update_portraits();
  find_images();
  write_gallery(folder_.root, gallery());
  written_ = std::chrono::steady_clock::now();
}

void TeamGallery::refresh(std::chrono::seconds at_most_every) {
  if (std::chrono::steady_clock::now() - written_ < at_most_every) return;
  if (const auto lock = lock_page(folder_)) write_locked();
}

void TeamGallery::write(std::map<std::string, std::string> notes) {
  notes_ = std::move(notes);
  std::unique_ptr<FileLock> lock = lock_page(folder_);
  while (!lock) {
    std::this_thread::sleep_for(kLockPollInterval);
    lock = lock_page(folder_);
  }
  write_locked();
}

}  // namespace sdx
