#include "roster/team_gallery.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>

#include "sdx/generation/infotext_format.h"
#include "sdx/image/format.h"
#include "sdx/image/metadata.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/lock.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kBetweenLooksAtLock{100};

bool is_picture(const fs::path& file) {
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
std::optional<GalleryImage> gallery_picture(const TeamFolder& team, const fs::path& file) {
  const auto parameters = read_parameters(team.root / file);
  if (!parameters) return std::nullopt;
  const Infotext text = parse_infotext(*parameters);
  GalleryImage picture;
  picture.file = file;
  picture.names = placeholder_names(text.prompt);
  picture.prompt = text.prompt;
  picture.negative_prompt = text.negative_prompt;
  picture.seed = whole_number(text.field("Seed").value_or("0"));
  picture.settings = text.field("Sampler").value_or("?") + ", " +
                     text.field("Steps").value_or("?") + " steps, guidance " +
                     text.field("CFG scale").value_or("?");
  const double scale = std::strtod(text.field("Hires upscale").value_or("1").c_str(), nullptr);
  std::sscanf(text.field("Size").value_or("").c_str(), "%dx%d", &picture.width_px,
              &picture.height_px);
  picture.width_px = static_cast<int>(std::lround(picture.width_px * scale));
  picture.height_px = static_cast<int>(std::lround(picture.height_px * scale));
  return picture;
}

}  // namespace

TeamGallery::TeamGallery(TeamFolder folder, std::string title, std::vector<std::string> people,
                         const std::vector<std::string>& prompts)
    : folder_(std::move(folder)), title_(std::move(title)), people_(std::move(people)) {
  for (const std::string& prompt : prompts) order_.emplace(prompt, order_.size());
}

void TeamGallery::add(const fs::path& file) {
  try {
    if (auto picture = gallery_picture(folder_, file)) {
      pictures_.insert_or_assign(file, std::move(*picture));
    }
  } catch (const Error&) {
    // Not a whole picture: nothing to show.
  }
}

void TeamGallery::find_pictures() {
  std::set<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.pictures())) {
    if (entry.is_regular_file() && is_picture(entry.path())) {
      found.insert(entry.path().lexically_relative(folder_.root));
    }
  }
  std::erase_if(pictures_, [&](const auto& known) { return !found.contains(known.first); });
  for (const fs::path& file : found) {
    if (!pictures_.contains(file)) add(file);
  }
}

Gallery TeamGallery::gallery() const {
  Gallery gallery;
  gallery.title = title_;
  for (const std::string& name : people_) {
    const auto note = notes_.find(name);
    gallery.people.push_back({name, note == notes_.end() ? "" : note->second});
  }
  const auto has_left = [this](const std::string& name) {
    const bool is_there = std::find(people_.begin(), people_.end(), name) != people_.end();
    return !is_there && fs::exists(folder_.person(name));
  };
  for (const auto& [file, picture] : pictures_) {
    if (std::none_of(picture.names.begin(), picture.names.end(), has_left)) {
      gallery.pictures.push_back(picture);
    }
  }
  const auto place = [this](const GalleryImage& picture) {
    const auto found = order_.find(picture.prompt);
    return found == order_.end() ? order_.size() : found->second;
  };
  std::stable_sort(gallery.pictures.begin(), gallery.pictures.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return gallery;
}

void TeamGallery::write_locked() {
  find_pictures();
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
    std::this_thread::sleep_for(kBetweenLooksAtLock);
    lock = lock_page(folder_);
  }
  write_locked();
}

}  // namespace sdx
