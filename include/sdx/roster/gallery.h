#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sdx {

/// Pictures with a longer side than this get a thumbnail of this size; smaller ones are shown
/// themselves. Twice what a tile of the page measures, for screens with two pixels to a point.
inline constexpr int kThumbnailSide_px = 384;

/// A picture of the gallery.
struct GalleryImage {
  /// Within the team's folder: "pictures/Ada/riding-a-unicorn-7-1a2b3c4d.png". The file under a
  /// name must never change: a thumbnail that is there is not made again.
  std::filesystem::path file;
  std::vector<std::string> names;  ///< of the people whose words the prompt uses, without brackets
  std::string prompt;              ///< as it was used: "<Ada> riding a unicorn"
  std::string negative_prompt;     ///< may be empty
  std::uint64_t seed = 0;
  std::string settings;  ///< one line for people: "Euler, 20 steps, guidance 7"; may be empty
  int width_px = 0;
  int height_px = 0;
};

/// A colleague; shown even without any picture.
struct GalleryPerson {
  std::string name;  ///< without brackets, no two alike
  std::string note;  ///< shown small: "likeness 0.93 after 125 steps", or why there are no
                     ///< pictures; may be empty
  /// A portrait that the person allows to be shown, within the team's folder; empty: none. The page
  /// lays each picture of this person alone over it, to be compared.
  std::filesystem::path portrait = {};
};

/// The content of a gallery, in the order in which it is shown.
struct Gallery {
  std::string title;
  std::vector<GalleryPerson> people;
  std::vector<GalleryImage> images;
};

/// Writes `index.html` into the folder of a team: everyone with their pictures, by person or by
/// prompt, to search, filter, enlarge, mark as favourites and download. The page is made of `<data
/// folder>/gallery/` (skeleton, style sheet, script), all in one file; the pictures stay where they
/// are. So the folder can be moved, zipped and mailed. Nothing is loaded from a network (the page's
/// content policy forbids it), and without scripts the page is a plain list of links.
///
/// Makes what thumbnails are missing (`thumbnails/<file>.webp`) and removes those whose picture is
/// not in the gallery any more. A picture that is missing or damaged stays in the gallery, without
/// a thumbnail; the page says that it cannot be shown.
///
/// The same gallery gives the same bytes; no path, time or machine is in them. Files have mode
/// 0600, folders 0700.
/// @return the page's path.
/// @throws MissingInputError if `team_folder` is no folder or the page's parts are not in the data
///         folder; DataError if a picture lies outside the team's folder, if `thumbnails` is a link
///         (removing would reach beyond the folder), or for an unknown placeholder in the skeleton;
///         as write_file_atomically.
std::filesystem::path write_gallery(const std::filesystem::path& team_folder,
                                    const Gallery& gallery);

/// Writes one person's page: one file that holds the pictures themselves, to be sent to that person
/// alone.
///
/// It holds nothing of anybody else: only pictures whose `names` is this person alone, no other
/// name, and the person's name in place of the gallery's title. A picture that is missing or
/// damaged is left out. The same gallery gives the same bytes. The file has mode 0600.
/// @param gallery must have somebody of this name.
/// @return how many pictures are on the page.
/// @throws MissingInputError if nobody has this name; else as write_gallery.
std::size_t write_person_page(const std::filesystem::path& team_folder, const Gallery& gallery,
                              const std::string& name, const std::filesystem::path& page);

}  // namespace sdx
