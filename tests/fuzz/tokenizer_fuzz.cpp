// A tokenizer's files. The first letter chooses: m merges.txt; v vocab.json, a byte 0, merges.txt;
// j tokenizer.json; s spiece.model; c tokenizer_config.json, a byte 0, special_tokens_map.json.

#include "sdx/tokenizer/tokenizer.h"

#include <filesystem>

#include "fuzz/target.h"

using namespace sdx;

namespace {

/// Letters of several scripts, digits, an apostrophe.
constexpr std::string_view kText = "A photo of  Ada's 12 caf\u00e9s, \u65e5\u672c \U0001F600!";

void use(const Tokenizer& tokenizer) {
  const std::vector<std::int64_t> ids = tokenizer.encode(kText);
  tokenizer.decode(ids);
  for (const std::int64_t id : ids) {
    if (id >= 0 && id < tokenizer.vocabulary_size()) tokenizer.piece(id);
  }
  tokenizer.whole_word("cat");
}

}  // namespace

SDX_FUZZ_TARGET(tokenizer) {
  const char letter = fuzz::take_letter(bytes);
  const std::filesystem::path folder = fuzz::scratch_folder() / "tokenizer";
  std::filesystem::remove_all(folder);
  switch (letter) {
    case 'c':
      fuzz::make_file("tokenizer/tokenizer_config.json", fuzz::take_section(bytes));
      fuzz::make_file("tokenizer/special_tokens_map.json", bytes);
      fuzz::make_file("tokenizer/merges.txt", "#version: 0.2\na b\nab c</w>\n");
      break;
    case 'v':
      fuzz::make_file("tokenizer/vocab.json", fuzz::take_section(bytes));
      fuzz::make_file("tokenizer/merges.txt", bytes);
      break;
    case 'j':
      fuzz::make_file("tokenizer/tokenizer.json", bytes);
      break;
    case 's':
      use(*load_tokenizer(fuzz::make_file("tokenizer/spiece.model", bytes)));
      return;
    default:
      fuzz::make_file("tokenizer/merges.txt", bytes);
  }
  use(*load_tokenizer(folder));
}
