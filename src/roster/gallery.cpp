#include "sdx/roster/gallery.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "sdx/image/decode.h"
#include "sdx/image/format.h"
#include "sdx/image/transform.h"
#include "sdx/image/write.h"
#include "sdx/util/base64.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/html.h"
#include "sdx/util/json.h"
#include "sdx/util/page.h"
#include "sdx/util/remove.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kThumbnails = "thumbnails";
constexpr int kThumbnailQuality = 82;

// ---- thumbnails

fs::path choose_thumbnail(const GalleryImage& gallery_image) {
  return fs::path(kThumbnails) / (gallery_image.file.string() + ".webp");
}

bool is_larger_than_thumbnail(const GalleryImage& gallery_image) {
  return std::max(gallery_image.width_px, gallery_image.height_px) > kThumbnailSide_px;
}

void check_file(const fs::path& file) {
  if (file.empty() || file.is_absolute() ||
      std::find(file.begin(), file.end(), fs::path("..")) != file.end()) {
    throw DataError("the gallery's picture \"" + file.string() +
                    "\" is not named by a path within the team's folder");
  }
}

void make_thumbnail(const fs::path& source, const fs::path& target) {
  const Image image = decode_image(source).image;
  const int longer = std::max(image.width_px, image.height_px);
  const auto scaled = [&](int side) {
    return std::max(1, (side * kThumbnailSide_px + longer / 2) / longer);
  };
  if (!fs::is_directory(target.parent_path())) prepare_output_folder(target.parent_path());
  write_image(target, resize(image, scaled(image.width_px), scaled(image.height_px)),
              {ImageFormat::kWebp, kThumbnailQuality}, {});
}

/// Makes the thumbnails that are missing.
/// @return those that are there now.
std::set<fs::path> complete_thumbnails(const fs::path& team_folder, const Gallery& gallery) {
  std::set<fs::path> there;
  for (const GalleryImage& gallery_image : gallery.images) {
    check_file(gallery_image.file);
    if (!is_larger_than_thumbnail(gallery_image)) continue;
    const fs::path thumbnail = choose_thumbnail(gallery_image);
    try {
      if (!fs::exists(team_folder / thumbnail)) {
        make_thumbnail(team_folder / gallery_image.file, team_folder / thumbnail);
      }
      there.insert(thumbnail);
    } catch (const DataError&) {
      // One bad file must not cost everybody the page, which shows that this one is bad.
    } catch (const MissingInputError&) {
      // The same.
    }
  }
  return there;
}

void remove_other_thumbnails(const fs::path& team_folder, const std::set<fs::path>& kept) {
  const fs::path place = team_folder / kThumbnails;
  if (!fs::exists(place)) return;
  if (!fs::is_directory(place)) throw IoError(place.string() + ": expected a folder, found a file");
  for (const fs::path& file : list_inside(team_folder, kThumbnails)) {
    if (kept.contains(file)) continue;
    remove_inside(team_folder, file);
    // And the folders that are empty now, from the inmost outwards.
    for (fs::path folder = file.parent_path(); folder != kThumbnails;
         folder = folder.parent_path()) {
      if (!list_inside(team_folder, folder).empty()) break;
      remove_inside(team_folder, folder);
    }
  }
}

// ---- the page

/// A relative path as a URL: "#", "?", "%", blanks and all that is not ASCII as "%23" and so on.
std::string make_url(const fs::path& file) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string url;
  for (const char c : file.generic_string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || std::string_view("-._~/").find(c) != std::string_view::npos) {
      url += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      url += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return url;
}

Json describe_person(const GalleryPerson& person) {
  return {{"name", person.name}, {"note", person.note}};
}

Json describe_image(const GalleryImage& gallery_image) {
  return {{"file", make_url(gallery_image.file)},
          {"names", gallery_image.names},
          {"prompt", gallery_image.prompt},
          {"negative", gallery_image.negative_prompt},
          // As text: JavaScript's numbers hold 53 bits.
          {"seed", std::to_string(gallery_image.seed)},
          {"settings", gallery_image.settings},
          {"width", gallery_image.width_px},
          {"height", gallery_image.height_px}};
}

std::string write_data(const Gallery& gallery, const std::set<fs::path>& thumbnails) {
  Json people = Json::array();
  for (const GalleryPerson& person : gallery.people) {
    people.push_back(describe_person(person));
    if (person.portrait.empty()) continue;
    check_file(person.portrait);
    people.back()["portrait"] = make_url(person.portrait);
  }
  Json images = Json::array();
  for (const GalleryImage& gallery_image : gallery.images) {
    images.push_back(describe_image(gallery_image));
    const fs::path thumbnail = choose_thumbnail(gallery_image);
    if (thumbnails.contains(thumbnail)) images.back()["thumbnail"] = make_url(thumbnail);
  }
  return to_script_json({{"people", std::move(people)}, {"pictures", std::move(images)}});
}

/// A picture's file as an address that holds it; nothing if it is missing or no picture.
std::optional<std::string> read_as_address(const fs::path& file) {
  try {
    const std::string bytes = read_file(file);
    const auto format = signed_format(bytes.substr(0, kSignatureBytes));
    if (!format) return std::nullopt;
    return "data:" + std::string(media_type(*format)) + ";base64," + to_base64(bytes);
  } catch (const MissingInputError&) {
    return std::nullopt;
  }
}

/// What is seen where no script runs, as in the preview of a mail.
std::string plain_list(const Gallery& gallery) {
  const std::string nobody;  // pictures of nobody in the gallery come last
  std::map<std::string, std::string> links;
  for (const GalleryPerson& person : gallery.people) links[person.name];
  for (const GalleryImage& gallery_image : gallery.images) {
    const std::string link = "<li><a href=\"" + make_url(gallery_image.file) + "\">" +
                             escape_html(gallery_image.prompt) + "</a></li>\n";
    bool shown = false;
    for (const std::string& name :
         std::set(gallery_image.names.begin(), gallery_image.names.end())) {
      if (!links.contains(name)) continue;
      links[name] += link;
      shown = true;
    }
    if (!shown) links[nobody] += link;
  }
  std::string list = "<p>Without scripts this page is a plain list of its pictures.</p>\n";
  const auto add = [&](const std::string& title, const std::string& note,
                       const std::string& items) {
    list += "<h2>" + escape_html(title) + "</h2>\n";
    if (!note.empty()) list += "<p>" + escape_html(note) + "</p>\n";
    if (!items.empty()) list += "<ul>\n" + items + "</ul>\n";
  };
  for (const GalleryPerson& person : gallery.people) {
    add(person.name, person.note, links[person.name]);
  }
  if (!links[nobody].empty()) add("Other pictures", "", links[nobody]);
  return list;
}

/// What differs between the page of a team and that of a person.
struct PageContent {
  std::string title;
  std::string image_sources;  ///< of the content policy
  std::string connections;    ///< of the content policy: what a script may read
  std::string data;
  std::string list;
};

std::string make_page(const PageContent& content) {
  return sdx::make_page(data_folder() / "gallery", {{"title", escape_html(content.title)},
                                                    {"image_sources", content.image_sources},
                                                    {"connections", content.connections},
                                                    {"data", content.data},
                                                    {"list", content.list}});
}

/// Whether a picture and its texts are about this person and nobody else of the gallery.
bool is_of_alone(const GalleryImage& gallery_image, const std::string& name,
                 const Gallery& gallery) {
  const std::vector<std::string>& names = gallery_image.names;
  const bool is_shown_alone =
      !names.empty() &&
      std::all_of(names.begin(), names.end(), [&](const auto& one) { return one == name; });
  return is_shown_alone &&
         std::none_of(gallery.people.begin(), gallery.people.end(), [&](const GalleryPerson& one) {
           const std::string tag = "<" + one.name + ">";
           return one.name != name &&
                  (gallery_image.prompt + gallery_image.negative_prompt).find(tag) !=
                      std::string::npos;
         });
}

void check_team_folder(const fs::path& team_folder) {
  if (fs::is_directory(team_folder)) return;
  throw MissingInputError("the team's folder " + team_folder.string() + " is not there");
}

}  // namespace

fs::path write_gallery(const fs::path& team_folder, const Gallery& gallery) try {
  check_team_folder(team_folder);
  if (fs::is_symlink(team_folder / kThumbnails)) {
    throw DataError((team_folder / kThumbnails).string() +
                    " is a link; thumbnails are removed there, so it must be a folder of its own");
  }
  const std::set<fs::path> thumbnails = complete_thumbnails(team_folder, gallery);
  const fs::path file = team_folder / "index.html";
  // A page from a server may read its own pictures, to pack them; one from the disk may not.
  write_file_atomically(file, make_page({gallery.title, "'self' file:", "'self'",
                                         write_data(gallery, thumbnails), plain_list(gallery)}));
  remove_other_thumbnails(team_folder, thumbnails);
  return file;
} catch (const fs::filesystem_error& error) {
  throw_errno(error.code().value(), "look after", error.path1());
}

std::size_t write_person_page(const fs::path& team_folder, const Gallery& gallery,
                              const std::string& name, const fs::path& page) {
  check_team_folder(team_folder);
  const auto person = std::find_if(gallery.people.begin(), gallery.people.end(),
                                   [&](const GalleryPerson& one) { return one.name == name; });
  if (person == gallery.people.end()) {
    throw MissingInputError(team_folder.string() + ": the gallery has nobody called \"" + name +
                            "\"");
  }
  Json shown = describe_person(*person);
  if (!person->portrait.empty()) {
    check_file(person->portrait);
    if (auto address = read_as_address(team_folder / person->portrait)) {
      shown["portrait"] = std::move(*address);
    }
  }
  Json images = Json::array();
  for (const GalleryImage& gallery_image : gallery.images) {
    check_file(gallery_image.file);
    if (!is_of_alone(gallery_image, name, gallery)) continue;
    auto address = read_as_address(team_folder / gallery_image.file);
    if (!address) continue;
    images.push_back(describe_image(gallery_image));
    images.back()["address"] = std::move(*address);
  }
  const std::size_t count = images.size();
  const Json data = {{"person", name},
                     {"people", Json::array({std::move(shown)})},
                     {"pictures", std::move(images)}};
  write_file_atomically(page,
                        make_page({name, "data:", "'none'", to_script_json(data),
                                   "<p>This page needs scripts to show its pictures.</p>\n"}));
  return count;
}

}  // namespace sdx
