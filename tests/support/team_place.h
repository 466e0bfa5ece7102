#pragma once

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "sdx/util/json.h"
#include "support/workplace.h"

namespace sdx::test {

/// A workplace with a roster: three people with three portraits each, two prompts for everybody and
/// one of two people, and a training of few steps.
class TeamPlace : public Workplace {
 public:
  TeamPlace() {
    for (const char* name : {"ada", "ben", "eve"}) add_portraits(name);
    write("team.csv", "name,portraits\nAda,ada\nBen,ben\nEve,eve\n");
    write("prompts.txt", "{name} in the snow\nRobot {name}\n<Ada> and <Ben>\n");
    write("training.json", R"({"steps": 20, "batch": 1, "milestone-steps": 10, "norm": "init"})");
  }

  void add_portraits(const std::string& folder, int count = 3) const {
    std::filesystem::create_directories(path() / folder);
    for (int i = 0; i < count; ++i) {
      Image image(96, 96);
      for (std::size_t p = 0; p < image.rgb.size(); ++p) {
        const std::size_t pattern = p * (static_cast<std::size_t>(i) + 3) / (folder.size() + 38);
        image.rgb[p] =
            static_cast<std::uint8_t>((pattern + 7U * static_cast<unsigned char>(folder[0])) % 256);
      }
      write_png(path() / folder / (std::to_string(i) + ".png"), image);
    }
  }

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(path() / file, std::ios::binary) << text;
  }

  std::vector<std::string> run_arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"run",     "team.csv", "--prompts",  "prompts.txt",
                                          "--out",   "team",     "--training", "training.json",
                                          "--steps", "2",        "--threads",  "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  RunResult run_team(std::vector<std::string> more = {}) const {
    return run("sdx-roster", run_arguments(std::move(more)));
  }

  /// The team's summary.json.
  Json read_summary() const { return read_json_file(path() / "team/summary.json"); }

  /// Words and pictures, by their path in the team's folder.
  std::map<std::string, std::string> results() const {
    std::map<std::string, std::string> files;
    for (const char* folder : {"embeddings", "pictures"}) {
      const std::filesystem::path place = path() / "team" / folder;
      if (!std::filesystem::exists(place)) continue;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(place)) {
        const std::string name = entry.path().filename().string();
        if (!entry.is_regular_file() || name.starts_with(".")) continue;
        files[entry.path().lexically_relative(path() / "team").string()] = read_bytes(entry.path());
      }
    }
    return files;
  }
};

/// The files that only one of two results has, or that differ.
inline std::vector<std::string> differences(const std::map<std::string, std::string>& one,
                                            const std::map<std::string, std::string>& other) {
  std::vector<std::string> names;
  for (const auto& [file, bytes] : one) {
    if (!other.contains(file) || other.at(file) != bytes) names.push_back(file);
  }
  for (const auto& [file, bytes] : other) {
    if (!one.contains(file)) names.push_back(file);
  }
  return names;
}

/// How often `part` is in `text`.
inline int count_in(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace sdx::test
