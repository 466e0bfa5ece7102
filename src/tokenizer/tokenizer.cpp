#include "sdx/tokenizer/tokenizer.h"

#include "sdx/tokenizer/clip.h"
#include "sdx/tokenizer/sentencepiece.h"
#include "sdx/util/file.h"
#include "tokenizer/clip_vocabulary.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSentencePieceFile = "spiece.model";

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& folder,
                                          const TokenizerSettings& settings) {
  if (settings.kind == TokenizerKind::kClip) {
    return std::make_unique<ClipTokenizer>(folder, settings.special_tokens);
  }
  return std::make_unique<SentencePieceTokenizer>(folder / kSentencePieceFile,
                                                  settings.special_tokens);
}

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& folder_or_model) {
  if (fs::is_directory(folder_or_model)) {
    return load_tokenizer(folder_or_model, read_tokenizer_settings(folder_or_model));
  }
  return std::make_unique<SentencePieceTokenizer>(folder_or_model, std::nullopt);
}

void write_tokenizer(const fs::path& source, const fs::path& destination) {
  const bool is_folder = fs::is_directory(source);
  if (is_folder && read_tokenizer_settings(source).kind == TokenizerKind::kClip) {
    write_clip_vocabulary(read_clip_vocabulary(source), destination);
    return;
  }
  const fs::path model = is_folder ? source / kSentencePieceFile : source;
  const std::string bytes = read_file(model);
  SentencePieceTokenizer(model, std::nullopt);  // proves it
  write_file_atomically(destination / kSentencePieceFile, bytes);
}

}  // namespace sdx
