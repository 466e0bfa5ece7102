#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sdx {

/// The paths of a team's folder. Everything that is derived from a person lies under these paths,
/// so that it can be found again and forgotten:
///
///     index.html, pictures/, thumbnails/   the gallery, to be zipped and mailed
///     gallery-portraits/<Name>/            a portrait of whoever allows the gallery to show one
///     embeddings/<Name>.safetensors        the words, for sdx-generate too
///     people/<Name>/                       how they came about; locked while somebody works on it
///     slurm/                               what the tasks of `sdx-roster slurm` said
///     roster.json, summary.json            what was asked for, what came out of it
///
/// A name becomes part of a path only here, and only if it can be one of its components
/// (file_name_fault): so every path lies below the root. What is there already is found whatever
/// form its accents have (find_named_entry).
/// @throws UsageError for any other name: one that is empty, or has a slash or dots in the way of
/// ".."
struct TeamFolder {
  std::filesystem::path root;

  std::filesystem::path embeddings() const { return root / "embeddings"; }
  std::filesystem::path embedding(const std::string& name) const;
  std::filesystem::path people() const { return root / "people"; }
  std::filesystem::path person(const std::string& name) const;
  std::filesystem::path lock(const std::string& name) const { return person(name) / ".lock"; }
  std::filesystem::path training(const std::string& name) const {
    return person(name) / "training";
  }
  std::filesystem::path images() const { return root / "pictures"; }
  std::filesystem::path thumbnails() const { return root / "thumbnails/pictures"; }
  std::filesystem::path portraits() const { return root / "gallery-portraits"; }
  std::filesystem::path portrait(const std::string& name) const;
  std::filesystem::path logs() const { return root / "slurm"; }
  std::filesystem::path settings() const { return root / "roster.json"; }
  std::filesystem::path summary() const { return root / "summary.json"; }
};

/// The folder within pictures/ for pictures of these people: their names with blanks between, which
/// no name has.
std::string images_folder(const std::vector<std::string>& names);

/// Removes the pictures that show a person, alone or with others, and their thumbnails.
/// @return what was removed, within the team's folder, in order.
std::vector<std::filesystem::path> remove_images(const TeamFolder& team, const std::string& name);

/// The files that forget_person would remove, within the team's folder, in order.
/// @throws UsageError for a name that no person can have; MissingInputError if the folder is no
///         team's, or holds nothing of them; DataError if a folder there is a symbolic link.
std::vector<std::filesystem::path> list_files_of_person(const TeamFolder& team,
                                                        const std::string& name);

/// Writes a person's page (write_person_page) of what is in the team's folder.
/// @param page where it is written
/// @return how many pictures are on it.
/// @throws MissingInputError if the folder has no summary.json, as before the first run has ended,
///         or the team has nobody of this name; else as write_person_page.
std::size_t write_page_of_person(const TeamFolder& team, const std::string& name,
                                 const std::filesystem::path& page);

/// Removes all that is derived from a person: word, records, latents, crops, checkpoints, previews,
/// pictures with them, thumbnails, their part of summary.json and of the logs; writes the gallery
/// anew. The portraits and the roster are not touched. If it is interrupted, it can be called
/// again.
/// @return every file that was removed, within the team's folder, in order.
/// @throws TryAgainError if somebody works on that person now; what list_files_of_person throws.
std::vector<std::filesystem::path> forget_person(const TeamFolder& team, const std::string& name);

}  // namespace sdx
