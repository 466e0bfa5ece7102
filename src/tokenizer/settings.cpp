#include "sdx/tokenizer/settings.h"

#include <map>
#include <string>

#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "tokenizer/clip_vocabulary.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kMapFile = "special_tokens_map.json";

void check_length(const SpecialTokens& tokens, const fs::path& file) {
  if (tokens.max_length >= 3) return;
  throw DataError(file.string() + ": model_max_length: expected at least 3, found " +
                  std::to_string(tokens.max_length));
}

SpecialTokens own_tokens(const Json& config, const fs::path& file) {
  SpecialTokens tokens;
  tokens.begin = json_value<std::int64_t>(config, "bos", file);
  tokens.end = json_value<std::int64_t>(config, "eos", file);
  tokens.pad = json_value<std::int64_t>(config, "pad", file);
  tokens.max_length = json_value<int>(config, "model_max_length", file);
  check_length(tokens, file);
  return tokens;
}

/// A special token of transformers' files, and where it is written.
struct NamedToken {
  std::string piece;
  fs::path file;
};

using NamedTokens = std::map<std::string, NamedToken>;

/// Overrides those of `tokens` that `json` has, as a string or as an object with "content".
void take_tokens(NamedTokens& tokens, const Json& json, const fs::path& file) {
  for (auto& [key, token] : tokens) {
    const Json value = json_value<Json>(json, key, file, nullptr);
    if (value.is_null()) continue;
    token.piece = value.is_object() ? json_value<std::string>(value, "content", file)
                                    : json_value<std::string>(json, key, file);
    token.file = file;
  }
}

/// transformers writes 1e30 for "no limit".
int read_length(const Json& config, const fs::path& file) {
  constexpr double kNoLimit = 1e9;
  const auto length = json_value<double>(config, "model_max_length", file, kNoLimit);
  if (length >= kNoLimit) return SpecialTokens().max_length;
  return json_value<int>(config, "model_max_length", file);
}

SpecialTokens clip_tokens(const Json& config, const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  NamedTokens named = {{"bos_token", {"<|startoftext|>", file}},
                       {"eos_token", {"<|endoftext|>", file}},
                       {"pad_token", {"<|endoftext|>", file}}};
  take_tokens(named, config, file);
  const fs::path map_file = folder / kMapFile;
  if (!config.contains("added_tokens_decoder") && fs::exists(map_file)) {
    take_tokens(named, read_json_file(map_file), map_file);
  }
  const ClipVocabulary vocabulary = read_clip_vocabulary(folder);
  const auto find_id = [&](const std::string& key) {
    const NamedToken& token = named.at(key);
    const auto found = vocabulary.ids.find(token.piece);
    if (found != vocabulary.ids.end()) return found->second;
    throw DataError(token.file.string() + ": " + key + ": \"" + token.piece +
                    "\" is not in the vocabulary");
  };
  SpecialTokens tokens;
  tokens.begin = find_id("bos_token");
  tokens.end = find_id("eos_token");
  tokens.pad = find_id("pad_token");
  tokens.max_length = read_length(config, file);
  check_length(tokens, file);
  return tokens;
}

}  // namespace

TokenizerSettings clip_settings(ClipPadding padding) {
  constexpr std::int64_t kBegin = 49'406;
  constexpr std::int64_t kEnd = 49'407;
  const std::int64_t pad = padding == ClipPadding::kExclamationMark ? 0 : kEnd;
  return {TokenizerKind::kClip, {kBegin, kEnd, pad}};
}

std::vector<AddedWord> list_added_words(const fs::path& folder) {
  if (read_tokenizer_settings(folder).kind != TokenizerKind::kClip) return {};
  return read_clip_vocabulary(folder).added;
}

TokenizerSettings read_tokenizer_settings(const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  const bool is_clip = has_clip_files(folder);
  const Json config = is_clip && !fs::exists(file) ? Json::object() : read_json_file(file);
  const auto name = json_value<std::string>(config, "tokenizer_class", file, "");
  if (name == "sentencepiece") {
    return {TokenizerKind::kSentencePiece, own_tokens(config, file)};
  }
  if (!is_clip) {
    throw DataError(
        file.string() + ": tokenizer_class: expected \"sentencepiece\", or CLIP's " +
        "vocabulary beside it (vocab.json and merges.txt, or tokenizer.json); found \"" + name +
        "\"" + advise_model_file(folder));
  }
  return {TokenizerKind::kClip, clip_tokens(config, folder)};
}

}  // namespace sdx
