#include "tokenizer/clip_vocabulary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/utf8.h"
#include "tokenizer/clip_text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kVocabularyFile = "vocab.json";
constexpr const char* kMergesFile = "merges.txt";
constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kAddedFile = "added_tokens.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kAddedKey = "added_tokens_decoder";
constexpr std::string_view kVersionLine = "#version";

bool is_printable(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

std::array<std::string, 256> make_byte_characters() {
  std::array<std::string, 256> characters;
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t character = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
    characters[static_cast<std::size_t>(byte)] = to_utf8({&character, 1});
  }
  return characters;
}

/// The order in which the vocabulary lists the bytes: the printable ones first.
std::vector<unsigned char> bytes_in_order() {
  std::vector<unsigned char> bytes(256);
  for (int byte = 0; byte < 256; ++byte) {
    bytes[static_cast<std::size_t>(byte)] = static_cast<unsigned char>(byte);
  }
  std::stable_partition(bytes.begin(), bytes.end(), is_printable);
  return bytes;
}

void add_piece(ClipVocabulary& vocabulary, const std::string& piece) {
  vocabulary.ids.emplace(piece, static_cast<std::int64_t>(vocabulary.pieces.size()));
  vocabulary.pieces.push_back(piece);
}

/// `object`: piece → id, at `where` (a file, and the key in it).
void take_pieces(ClipVocabulary& vocabulary, const nlohmann::json& object,
                 const std::string& where) {
  if (!object.is_object() || object.empty()) {
    throw DataError(where + ": expected an object of tokens and their ids");
  }
  vocabulary.pieces.resize(object.size());
  std::vector<bool> is_taken(object.size());
  bool has_word_ends = false;
  for (const auto& [piece, id] : object.items()) {
    if (!json_holds<std::size_t>(id) || id.get<std::size_t>() >= object.size()) {
      throw DataError(where + ": \"" + piece + "\": expected an id from 0 to " +
                      std::to_string(object.size() - 1) + ", found " + id.dump());
    }
    const auto place = id.get<std::size_t>();
    if (is_taken[place]) {
      throw DataError(where + ": \"" + piece + "\" and \"" + vocabulary.pieces[place] +
                      "\" have the same id " + id.dump());
    }
    is_taken[place] = true;
    vocabulary.pieces[place] = piece;
    vocabulary.ids.emplace(piece, static_cast<std::int64_t>(place));
    has_word_ends = has_word_ends || piece.ends_with(kClipWordEnd);
  }
  if (!has_word_ends) {
    throw DataError(where + ": not a vocabulary of CLIP's: no entry ends in " +
                    std::string(kClipWordEnd));
  }
}

/// A line of merges.txt, or an entry of the list in tokenizer.json.
struct SpelledMerge {
  std::string left;
  std::string right;
  std::string where;  ///< file and line, for messages
};

/// @throws DataError if `text` is not two symbols with one blank between them.
SpelledMerge parse_merge(std::string_view text, const std::string& where) {
  const std::size_t blank = text.find(' ');
  const std::size_t second = blank + 1;
  if (blank == text.npos || blank == 0 || second == text.size() ||
      text.find(' ', second) != text.npos) {
    throw DataError(where + ": expected two symbols with a blank between them, found \"" +
                    std::string(text) + "\"");
  }
  return {std::string(text.substr(0, blank)), std::string(text.substr(second)), where};
}

std::vector<SpelledMerge> read_merges(const fs::path& file) {
  const std::string text = read_file(file);
  if (to_utf8(from_utf8(text)) != text) throw DataError(file.string() + ": not UTF-8");
  std::vector<SpelledMerge> merges;
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(kVersionLine)) continue;
    merges.push_back(parse_merge(line, file.string() + ": line " + std::to_string(number)));
  }
  if (merges.empty()) throw DataError(file.string() + ": holds no merges");
  return merges;
}

/// tokenizer.json has its merges as "a b" (before 2024) or as ["a", "b"].
std::vector<SpelledMerge> read_merges(const nlohmann::json& list, const std::string& where) {
  if (!list.is_array()) throw DataError(where + ": expected a list");
  std::vector<SpelledMerge> merges;
  for (const nlohmann::json& merge : list) {
    const std::string place = where + ": entry " + std::to_string(merges.size());
    if (merge.is_string()) {
      merges.push_back(parse_merge(merge.get<std::string>(), place));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      merges.push_back({merge[0].get<std::string>(), merge[1].get<std::string>(), place});
    } else {
      throw DataError(place + ": expected two symbols, found " + merge.dump());
    }
  }
  return merges;
}

void derive_pieces(ClipVocabulary& vocabulary, const std::vector<SpelledMerge>& merges) {
  for (const std::string_view end : {std::string_view(), kClipWordEnd}) {
    for (const unsigned char byte : bytes_in_order()) {
      add_piece(vocabulary, clip_byte_character(byte) + std::string(end));
    }
  }
  for (const SpelledMerge& merge : merges) {
    const std::string piece = merge.left + merge.right;
    if (vocabulary.ids.contains(piece)) {
      throw DataError(merge.where + ": makes \"" + piece +
                      "\" for the second time; which id it has, only a vocab.json can say");
    }
    add_piece(vocabulary, piece);
  }
  add_piece(vocabulary, "<|startoftext|>");
  add_piece(vocabulary, "<|endoftext|>");
}

/// Finds the entries of `merges`.
void take_merges(ClipVocabulary& vocabulary, const std::vector<SpelledMerge>& merges) {
  std::set<std::pair<std::int64_t, std::int64_t>> known;
  for (const SpelledMerge& merge : merges) {
    const auto find_id = [&](const std::string& piece) {
      const auto found = vocabulary.ids.find(piece);
      if (found != vocabulary.ids.end()) return found->second;
      throw DataError(merge.where + ": \"" + merge.left + " " + merge.right + "\" needs \"" +
                      piece + "\", which is not in the vocabulary");
    };
    const std::int64_t left = find_id(merge.left);
    const std::int64_t right = find_id(merge.right);
    if (!known.emplace(left, right).second) {
      throw DataError(merge.where + ": \"" + merge.left + " " + merge.right + "\" stands twice");
    }
    vocabulary.merges.push_back({left, right, find_id(merge.left + merge.right)});
  }
}

/// Notes a word that a file lists as added, unless it is one of the vocabulary.
void add_word(ClipVocabulary& vocabulary, const std::string& word, const nlohmann::json& id,
              const fs::path& file) {
  if (!json_holds<std::int64_t>(id) || id.get<std::int64_t>() < 0) {
    throw DataError(file.string() + ": \"" + word + "\": expected an id, found " +
                    describe_json(id));
  }
  const auto number = id.get<std::int64_t>();
  const auto known = vocabulary.ids.find(word);
  if (known != vocabulary.ids.end() && number == known->second) return;
  const auto fail_twice = [&](const std::string& other) {
    throw DataError(file.string() + ": the added \"" + word + "\" has the id " +
                    std::to_string(number) + " of \"" + other + "\"");
  };
  if (number < static_cast<std::int64_t>(vocabulary.pieces.size())) {
    fail_twice(vocabulary.pieces[static_cast<std::size_t>(number)]);
  }
  for (const AddedWord& other : vocabulary.added) {
    if (other.id == number && other.word == word) return;
    if (other.id == number) fail_twice(other.word);
  }
  vocabulary.added.push_back({word, number, file});
}

/// What the files beside the vocabulary list.
void add_words(ClipVocabulary& vocabulary, const fs::path& folder) {
  if (const fs::path file = folder / kAddedFile; fs::exists(file)) {
    const nlohmann::json added = read_large_json_file(file);
    if (!added.is_object()) {
      throw DataError(file.string() + ": expected an object of words and their ids, found " +
                      describe_json(added));
    }
    for (const auto& [word, id] : added.items()) add_word(vocabulary, word, id, file);
  }
  const fs::path file = folder / kConfigFile;
  if (!fs::exists(file)) return;
  const Json words = json_value<Json>(read_json_file(file), kAddedKey, file, Json::object());
  for (const auto& [text, entry] : words.items()) {
    std::int64_t id = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size() || !entry.is_object()) {
      throw DataError(file.string() + ": key \"" + kAddedKey +
                      "\": expected words by their ids, found \"" + text +
                      "\": " + describe_json(entry));
    }
    add_word(vocabulary, json_value<std::string>(entry, "content", file), id, file);
  }
}

ClipVocabulary read_tokenizer_json(const fs::path& file) {
  const nlohmann::json json = read_large_json_file(file);
  const std::string where = file.string() + ": model";
  const nlohmann::json model = json.is_object() ? json.value("model", nlohmann::json()) : json;
  // Old files leave the type out.
  const nlohmann::json type =
      model.is_object() ? model.value("type", nlohmann::json("BPE")) : nlohmann::json();
  if (type != "BPE" || !model.contains("vocab") || !model.contains("merges")) {
    throw DataError(where + ": expected byte pairs (type \"BPE\", vocab and merges), found type " +
                    type.dump() + advise_model_file(file.parent_path()));
  }
  ClipVocabulary vocabulary;
  take_pieces(vocabulary, model["vocab"], where + ".vocab");
  take_merges(vocabulary, read_merges(model["merges"], where + ".merges"));
  for (const nlohmann::json& token : json.value("added_tokens", nlohmann::json::array())) {
    if (!token.is_object() || !token.contains("id") || !token.contains("content") ||
        !token["content"].is_string()) {
      throw DataError(file.string() +
                      ": added_tokens: expected objects with id and content, found " +
                      token.dump());
    }
    add_word(vocabulary, token["content"], token["id"], file);
  }
  return vocabulary;
}

ClipVocabulary read_merges_and_vocabulary(const fs::path& folder) {
  ClipVocabulary vocabulary;
  const std::vector<SpelledMerge> merges = read_merges(folder / kMergesFile);
  const fs::path file = folder / kVocabularyFile;
  if (fs::exists(file)) {
    take_pieces(vocabulary, read_large_json_file(file), file.string());
  } else {
    derive_pieces(vocabulary, merges);
  }
  take_merges(vocabulary, merges);
  return vocabulary;
}

}  // namespace

const std::string& clip_byte_character(unsigned char byte) {
  static const std::array<std::string, 256> characters = make_byte_characters();
  return characters[byte];
}

std::string advise_model_file(const fs::path& folder) {
  for (const char* name : {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model"}) {
    if (fs::exists(folder / name)) {
      return ". Its " + std::string(name) + " can be read: give " + (folder / name).string() +
             " in place of the folder";
    }
  }
  return "";
}

bool has_clip_files(const fs::path& folder) {
  return std::ranges::any_of(std::array{kTokenizerFile, kMergesFile, kVocabularyFile},
                             [&folder](const char* name) { return fs::exists(folder / name); });
}

ClipVocabulary read_clip_vocabulary(const fs::path& folder) {
  const fs::path whole = folder / kTokenizerFile;
  ClipVocabulary vocabulary =
      fs::exists(whole) ? read_tokenizer_json(whole) : read_merges_and_vocabulary(folder);
  add_words(vocabulary, folder);
  std::ranges::sort(vocabulary.added, {}, &AddedWord::id);
  return vocabulary;
}

void write_clip_vocabulary(const ClipVocabulary& vocabulary, const fs::path& folder) {
  std::string pieces;
  for (const std::string& piece : vocabulary.pieces) {
    pieces += pieces.empty() ? "{\n" : ",\n";
    pieces += Json(piece).dump() + ": " + std::to_string(vocabulary.ids.at(piece));
  }
  write_file_atomically(folder / kVocabularyFile, pieces + "\n}\n");
  std::string merges = "#version: 0.2\n";
  for (const ClipMerge& merge : vocabulary.merges) {
    merges += vocabulary.pieces[static_cast<std::size_t>(merge.left)] + " " +
              vocabulary.pieces[static_cast<std::size_t>(merge.right)] + "\n";
  }
  write_file_atomically(folder / kMergesFile, merges);
}

}  // namespace sdx
