#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdx/tokenizer/settings.h"

namespace sdx {

/// What stands at the end of an entry that ends a word.
inline constexpr std::string_view kClipWordEnd = "</w>";

/// How CLIP's files spell a byte: as itself where it is printable Latin-1, else as one of the
/// characters from U+0100 on. UTF-8.
const std::string& clip_byte_character(unsigned char byte);

/// Two neighbouring entries and the one that they become, by their ids.
struct ClipMerge {
  std::int64_t left;
  std::int64_t right;
  std::int64_t joined;
};

/// What CLIP's files hold.
struct ClipVocabulary {
  std::vector<AddedWord> added;                       ///< beyond the pieces, by their ids
  std::vector<std::string> pieces;                    ///< by id
  std::unordered_map<std::string, std::int64_t> ids;  ///< by piece
  std::vector<ClipMerge> merges;                      ///< the first is done first
};

/// What to do about a tokenizer's folder that is not CLIP's but has a file of sentencepiece in it,
/// as T5's have: a sentence for the end of a message. Empty if there is none.
std::string advise_model_file(const std::filesystem::path& folder);

/// Whether `folder` holds any of CLIP's files.
bool has_clip_files(const std::filesystem::path& folder);

/// From `tokenizer.json` if it is there (transformers' order), else from `merges.txt` and
/// `vocab.json`, else from `merges.txt` alone: the 256 byte characters, the same with `</w>`, what
/// each merge makes, `<|startoftext|>`, `<|endoftext|>`. Words that were added to it stand in
/// `tokenizer.json`, `added_tokens.json` or `tokenizer_config.json`.
/// @throws DataError with file, line or entry. Each id from 0 to n − 1 must stand once. A merge must
///         be two symbols, stand once, and have entries as parts and result. Some entry must end in
///         `</w>`. An added word must have an id of its own.
/// @throws MissingInputError if a file is missing.
ClipVocabulary read_clip_vocabulary(const std::filesystem::path& folder);

/// Writes `vocab.json`, one entry a line in the order of ids, and `merges.txt`.
/// @throws as write_file_atomically.
void write_clip_vocabulary(const ClipVocabulary& vocabulary, const std::filesystem::path& folder);

}  // namespace sdx
