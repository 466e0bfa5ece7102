#include "sdx/tokenizer/clip.h"

#include <array>
#include <queue>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"
#include "tokenizer/clip_text.h"
#include "tokenizer/clip_vocabulary.h"

namespace sdx {

namespace {

/// What two neighbouring symbols become.
struct Merge {
  std::uint32_t rank;  ///< its place in merges.txt; the lowest is done first
  std::int64_t id;     ///< of the entry that they make
};

/// A symbol of the word that is being joined, in a doubly linked list.
struct Symbol {
  std::int64_t id;
  int previous;  ///< −1: the first
  int next;      ///< −1: the last
  bool is_gone = false;
};

/// A merge that was possible when it was queued.
struct Candidate {
  std::uint32_t rank;
  int place;  ///< of the left symbol

  /// The queue gives its largest element: lowest rank, then leftmost.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : place > other.place;
  }
};

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return (static_cast<std::uint64_t>(left) << 32U) | static_cast<std::uint64_t>(right);
}

}  // namespace

/// The vocabulary in the form in which texts are encoded.
class ClipModel {
 public:
  ClipModel(ClipVocabulary vocabulary, const SpecialTokens& tokens)
      : pieces_(std::move(vocabulary.pieces)), ids_(std::move(vocabulary.ids)) {
    merges_.reserve(vocabulary.merges.size());
    for (const ClipMerge& merge : vocabulary.merges) {
      const auto rank = static_cast<std::uint32_t>(merges_.size());
      merges_.emplace(pair_key(merge.left, merge.right), Merge{rank, merge.joined});
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::string& character = clip_byte_character(static_cast<unsigned char>(byte));
      const std::string last = character + std::string(kClipWordEnd);
      inner_ids_[byte] = find(character).value_or(tokens.end);
      last_ids_[byte] = find(last).value_or(tokens.end);
      bytes_.emplace(from_utf8(character).front(), static_cast<char>(byte));
    }
    spell(before_cleaning_, tokens.pad);
    spell(after_cleaning_, tokens.begin);
    if (tokens.end != tokens.pad) spell(after_cleaning_, tokens.end);
  }

  const std::vector<std::string>& pieces() const { return pieces_; }

  std::optional<std::int64_t> find(const std::string& piece) const {
    const auto found = ids_.find(piece);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
  }

  std::vector<std::int64_t> encode(std::string_view text) const {
    std::vector<std::int64_t> ids;
    const std::u32string characters = from_utf8(text);
    for (const ClipSegment& raw : split_special_tokens(characters, before_cleaning_)) {
      if (raw.id) {
        ids.push_back(*raw.id);
        continue;
      }
      const std::u32string clean = clean_clip_text(raw.text);
      for (const ClipSegment& segment : split_special_tokens(clean, after_cleaning_)) {
        if (segment.id) {
          ids.push_back(*segment.id);
          continue;
        }
        for (const std::u32string_view word : split_clip_words(segment.text)) {
          append_word(ids, to_utf8(word));
        }
      }
    }
    return ids;
  }

  /// The bytes that a piece spells, with a blank where it ends a word.
  std::string decode_bytes(std::string_view piece) const {
    const bool ends_word = piece.ends_with(kClipWordEnd);
    if (ends_word) piece.remove_suffix(kClipWordEnd.size());
    std::string bytes;
    for (const char32_t character : from_utf8(piece)) {
      const auto found = bytes_.find(character);
      bytes += found != bytes_.end() ? std::string(1, found->second) : to_utf8({&character, 1});
    }
    return ends_word ? bytes + ' ' : bytes;
  }

 private:
  void spell(std::vector<SpelledToken>& tokens, std::int64_t id) const {
    tokens.emplace_back(from_utf8(pieces_[static_cast<std::size_t>(id)]), id);
  }

  const Merge* find_merge(const std::vector<Symbol>& symbols, int left) const {
    const Symbol& symbol = symbols[static_cast<std::size_t>(left)];
    if (symbol.is_gone || symbol.next < 0) return nullptr;
    const auto found =
        merges_.find(pair_key(symbol.id, symbols[static_cast<std::size_t>(symbol.next)].id));
    return found == merges_.end() ? nullptr : &found->second;
  }

  /// Joins the bytes of a word, pair by pair, and appends the ids of what is left.
  void append_word(std::vector<std::int64_t>& ids, const std::string& word) const {
    std::vector<Symbol> symbols;
    const int count = static_cast<int>(word.size());
    for (int i = 0; i < count; ++i) {
      const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
      const bool is_last = i + 1 == count;
      symbols.push_back(
          {is_last ? last_ids_[byte] : inner_ids_[byte], i - 1, is_last ? -1 : i + 1});
    }
    std::priority_queue<Candidate> queue;
    const auto enqueue = [&](int place) {
      if (place < 0) return;
      if (const Merge* merge = find_merge(symbols, place)) queue.push({merge->rank, place});
    };
    for (int i = 0; i < count; ++i) enqueue(i);
    while (!queue.empty()) {
      const Candidate candidate = queue.top();
      queue.pop();
      const Merge* const merge = find_merge(symbols, candidate.place);
      // A neighbour may have changed since.
      if (merge == nullptr || merge->rank != candidate.rank) continue;
      Symbol& left = symbols[static_cast<std::size_t>(candidate.place)];
      Symbol& right = symbols[static_cast<std::size_t>(left.next)];
      left.id = merge->id;
      left.next = right.next;
      right.is_gone = true;
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = candidate.place;
      enqueue(left.previous);
      enqueue(candidate.place);
    }
    for (const Symbol& symbol : symbols) {
      if (!symbol.is_gone) ids.push_back(symbol.id);
    }
  }

  std::vector<std::string> pieces_;
  std::unordered_map<std::string, std::int64_t> ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;  ///< by pair_key
  std::array<std::int64_t, 256> inner_ids_;          ///< of a byte within a word
  std::array<std::int64_t, 256> last_ids_;           ///< of a word's last byte
  std::unordered_map<char32_t, char> bytes_;         ///< by the character that spells them
  std::vector<SpelledToken> before_cleaning_;
  std::vector<SpelledToken> after_cleaning_;
};

namespace {

std::unique_ptr<const ClipModel> make_model(const std::filesystem::path& folder,
                                            const SpecialTokens& tokens) {
  ClipVocabulary vocabulary = read_clip_vocabulary(folder);
  if (!vocabulary.added.empty()) {
    const AddedWord& first = vocabulary.added.front();
    throw DataError(
        first.file.string() + ": \"" + first.word + "\" (id " + std::to_string(first.id) +
        ") was added to the vocabulary; new words are embeddings here. sdx-model import "
        "takes them out of a model, or remove it from the file to use the tokenizer "
        "without it");
  }
  const auto count = static_cast<std::int64_t>(vocabulary.pieces.size());
  for (const std::int64_t id : {tokens.begin, tokens.end, tokens.pad}) {
    if (id < 0 || id >= count) {
      throw DataError(folder.string() + ": the special token " + std::to_string(id) +
                      " is outside the vocabulary of " + std::to_string(count) + " entries");
    }
  }
  return std::make_unique<const ClipModel>(std::move(vocabulary), tokens);
}

}  // namespace

ClipTokenizer::ClipTokenizer(const std::filesystem::path& folder,
                             const SpecialTokens& special_tokens)
    : Tokenizer(special_tokens), model_(make_model(folder, special_tokens)) {}

ClipTokenizer::~ClipTokenizer() = default;

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view text) const {
  return model_->encode(text);
}

std::string ClipTokenizer::decode(const std::vector<std::int64_t>& ids) const {
  std::string bytes;
  for (const std::int64_t id : ids) bytes += model_->decode_bytes(piece(id));
  // Ids that stop within a character leave bytes that are not UTF-8.
  return trim(to_utf8(from_utf8(bytes)));
}

std::string ClipTokenizer::piece(std::int64_t id) const {
  if (id < 0 || id >= vocabulary_size()) {
    throw UsageError("token " + std::to_string(id) + " is outside the vocabulary of " +
                     std::to_string(vocabulary_size()) + " entries");
  }
  return model_->pieces()[static_cast<std::size_t>(id)];
}

std::optional<std::int64_t> ClipTokenizer::whole_word(std::string_view word) const {
  const std::vector<std::int64_t> ids = encode(word);
  if (ids.size() != 1 || model_->decode_bytes(piece(ids.front())) != std::string(word) + ' ') {
    return std::nullopt;
  }
  return ids.front();
}

std::int64_t ClipTokenizer::vocabulary_size() const {
  return static_cast<std::int64_t>(model_->pieces().size());
}

}  // namespace sdx
