#include "sdx/tokenizer/tokenizer.h"

#include "sdx/tokenizer/sentencepiece.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"

namespace sdx {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder_or_model) {
  if (!std::filesystem::is_directory(folder_or_model)) {
    return std::make_unique<SentencePieceTokenizer>(folder_or_model, std::nullopt);
  }
  const std::filesystem::path config_file = folder_or_model / "tokenizer_config.json";
  const Json config = read_json_file(config_file);
  const auto kind = json_value<std::string>(config, "tokenizer_class", config_file);
  if (kind != "sentencepiece") {
    throw DataError(config_file.string() +
                    ": tokenizer_class: expected \"sentencepiece\", found \"" + kind + "\"");
  }
  SpecialTokens tokens;
  tokens.begin = json_value<std::int64_t>(config, "bos", config_file);
  tokens.end = json_value<std::int64_t>(config, "eos", config_file);
  tokens.pad = json_value<std::int64_t>(config, "pad", config_file);
  tokens.max_length = json_value<int>(config, "model_max_length", config_file);
  if (tokens.max_length < 3) {
    throw DataError(config_file.string() + ": model_max_length: expected at least 3, found " +
                    std::to_string(tokens.max_length));
  }
  return std::make_unique<SentencePieceTokenizer>(folder_or_model / "spiece.model", tokens);
}

}  // namespace sdx
