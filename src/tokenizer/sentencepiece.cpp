#include "sdx/tokenizer/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <new>

#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace {

/// sentencepiece writes a word's beginning as this character (U+2581).
constexpr std::string_view kWordStart = "\u2581";

std::unique_ptr<sentencepiece::SentencePieceProcessor> load_processor(
    const std::filesystem::path& model_file) {
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  const auto refuse = [&model_file](const std::string& reason) {
    throw DataError(model_file.string() + ": not a sentencepiece model: " + reason);
  };
  const std::string model = read_file(model_file);
  try {
    const auto status = processor->LoadFromSerializedProto(model);
    if (!status.ok()) refuse(status.ToString());
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    // What it builds its index with throws, for example for a piece without letters.
    refuse(error.what());
  }
  return processor;
}

SpecialTokens own_special_tokens(const sentencepiece::SentencePieceProcessor& processor) {
  SpecialTokens tokens;
  tokens.begin = processor.bos_id();
  tokens.end = processor.eos_id();
  tokens.pad = processor.unk_id();  // every model has one
  for (const int id : {processor.pad_id(), processor.eos_id()}) {
    if (id < 0) continue;
    tokens.pad = id;
    break;
  }
  return tokens;
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& model_file,
                                               std::optional<SpecialTokens> special_tokens)
    : SentencePieceTokenizer(load_processor(model_file), special_tokens) {}

SentencePieceTokenizer::SentencePieceTokenizer(
    std::unique_ptr<sentencepiece::SentencePieceProcessor> processor,
    std::optional<SpecialTokens> special_tokens)
    : Tokenizer(special_tokens.value_or(own_special_tokens(*processor))),
      processor_(std::move(processor)) {}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::vector<std::int64_t> SentencePieceTokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = processor_->Encode(text, &ids);
  if (!status.ok()) throw InternalError("sentencepiece: " + status.ToString());
  return {ids.begin(), ids.end()};
}

std::string SentencePieceTokenizer::decode(const std::vector<std::int64_t>& ids) const {
  std::vector<int> narrow;
  for (const std::int64_t id : ids) {
    piece(id);  // refuses an id outside the vocabulary
    narrow.push_back(static_cast<int>(id));
  }
  std::string text;
  const auto status = processor_->Decode(narrow, &text);
  if (!status.ok()) throw InternalError("sentencepiece: " + status.ToString());
  return text;
}

std::string SentencePieceTokenizer::piece(std::int64_t id) const {
  if (id < 0 || id >= vocabulary_size()) {
    throw UsageError("token " + std::to_string(id) + " is outside the vocabulary of " +
                     std::to_string(vocabulary_size()) + " entries");
  }
  return processor_->IdToPiece(static_cast<int>(id));
}

std::optional<std::int64_t> SentencePieceTokenizer::whole_word(std::string_view word) const {
  const int id = processor_->PieceToId(std::string(kWordStart) + std::string(word));
  if (processor_->IsUnknown(id)) return std::nullopt;
  return id;
}

std::int64_t SentencePieceTokenizer::vocabulary_size() const { return processor_->GetPieceSize(); }

}  // namespace sdx
