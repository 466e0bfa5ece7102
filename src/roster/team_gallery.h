#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sdx/roster/gallery.h"
#include "sdx/roster/team_folder.h"

namespace sdx {

/// The gallery of a team while it grows: every picture in the team's folder, those of earlier runs
/// too, but for those that show a person who is not of the team any more.
class TeamGallery {
 public:
  /// @param people the team, in the order in which they are shown.
  /// @param prompts in the order in which their pictures are shown; others come behind them.
  TeamGallery(TeamFolder folder, std::string title, std::vector<std::string> people,
              const std::vector<std::string>& prompts);

  /// Whose portraits may be shown: each page written from now on copies theirs into the team's
  /// folder, and removes all others from there. Without this call those that are there are shown.
  void show_portraits(std::set<std::string> names) { portraits_allowed_ = std::move(names); }

  /// A picture was written.
  void add(const std::filesystem::path& file);

  /// Writes the page if the last one is older than this, and nobody else does.
  void refresh(std::chrono::seconds at_most_every);

  /// Writes the page with a line on each person, when nobody else does.
  /// @param notes a line for each person who has one, by name
  void write(std::map<std::string, std::string> notes);

  /// What is known of each person, as write() takes it.
  void set_notes(std::map<std::string, std::string> notes) { notes_ = std::move(notes); }

  /// The gallery of what is in the folder now. Nothing is written.
  Gallery look();

 private:
  std::string find_person(const std::string& name) const;
  void find_images();
  void update_portraits() const;
  void write_locked();
  Gallery gallery() const;

  TeamFolder folder_;
  std::string title_;
  std::vector<std::string> people_;
  std::map<std::string, std::size_t> order_;  ///< of prompts
  std::map<std::filesystem::path, GalleryImage> images_;
  std::map<std::string, std::string> notes_;
  std::optional<std::set<std::string>> portraits_allowed_;
  std::chrono::steady_clock::time_point written_{};
};

}  // namespace sdx
