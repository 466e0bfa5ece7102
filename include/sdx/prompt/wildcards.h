#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sdx {

/// Lists of words to put into prompts, by name: the file "hats/winter.txt" is "hats/winter".
struct Wildcards {
  std::filesystem::path folder;  ///< for messages; empty: there are none
  std::map<std::string, std::vector<std::string>> lines;
  /// Files that are no text in an encoding that is read, and why. They hinder only who asks for
  /// them: folders of wildcards are collected from everywhere.
  std::map<std::string, std::string> unusable = {};
};

/// Reads every `.txt` file of a folder and of the folders in it (links to folders are not
/// followed) by read_text_file(). Blanks at a line's ends, blank lines, lines that begin with "#"
/// and carriage returns are left out.
/// @throws MissingInputError if there is no such folder; PermissionError, IoError, DataError as
///         read_text_file.
Wildcards read_wildcards(const std::filesystem::path& folder);

/// The names that a wildcard stands for, sorted: the one that it spells, or those that fit it,
/// where
/// `*` stands for any letters of one folder's or file's name and `?` for one letter.
/// @throws MissingInputError if there is none, naming the nearest; DataError with the reason if one
/// of
///         them is unusable.
std::vector<std::string> matching_wildcards(const std::string& pattern, const Wildcards& wildcards);

}  // namespace sdx
