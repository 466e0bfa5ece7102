#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>

#include "sdx/cli/tool.h"
#include "sdx/embedding/embedding_table.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_remarks.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/text_file.h"

namespace sdx {

namespace {

/// As many ids as may follow --decode.
constexpr int kMostIds = 100'000;

/// Of a line on stdin, which is held in memory as a whole.
constexpr std::size_t kMostLineBytes = std::size_t{1} << 20U;

struct TokenizeOptions {
  std::vector<std::string> texts;
  std::string tokenizer;  ///< a tokenizer folder or a sentencepiece file; empty: the model's
  std::vector<std::string> embeddings = {"embeddings"};
  std::vector<std::string> decode;
  Grammar grammar = Grammar::kA1111;
  bool is_negative = false;
  int steps = 20;
};

/// A text of a prompt, and when it holds.
struct Stage {
  std::size_t part = 1;  ///< between ANDs, from 1
  double part_weight = 1;
  int first_step = 1;
  int last_step = 1;
  bool is_all = true;  ///< of the prompt
  TokenizedPrompt tokenized;
};

/// What sdx-generate makes of the same prompt.
std::vector<Stage> tokenize_stages(const ParsedPrompt& prompt, int steps,
                                   const Tokenizer& tokenizer, const EmbeddingSizes& embeddings) {
  const std::vector<PromptPart> parts = prompt.parts({steps, 0});
  std::vector<Stage> stages;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    int first_step = 1;
    for (const PromptStage& stage : parts[i].stages) {
      stages.push_back({i + 1, parts[i].weight, first_step, stage.last_step,
                        parts.size() == 1 && parts[i].stages.size() == 1,
                        tokenize_prompt(stage.prompt, tokenizer, embeddings)});
      first_step = stage.last_step + 1;
    }
  }
  return stages;
}

/// Takes the next line from stdin, without its end.
/// @return false at the end of stdin.
/// @throws DataError for a line that is too long.
bool take_line(std::string& line, std::size_t number) {
  line.clear();
  int next = 0;
  while ((next = std::getc(stdin)) != EOF && next != '\n') {
    if (line.size() == kMostLineBytes) {
      throw DataError("stdin, line " + std::to_string(number) + ": longer than " +
                      std::to_string(kMostLineBytes) + " bytes; each prompt has a line of its own");
    }
    line += static_cast<char>(next);
  }
  if (std::ferror(stdin) != 0) throw IoError("stdin: reading failed");
  return next != EOF || !line.empty();
}

/// Gives the texts to `use`, one by one, so that an answer comes before the next line.
void for_each_text(const TokenizeOptions& options,
                   const std::function<void(const std::string&)>& use) {
  if (!options.texts.empty() && options.texts != std::vector<std::string>{"-"}) {
    for (const std::string& text : options.texts) {
      if (const std::string fault = describe_encoding_fault(text); !fault.empty()) {
        throw UsageError("the text " + in_quotes(text) + " is " + fault + "; expected UTF-8");
      }
      use(text);
    }
    return;
  }
  if (options.texts.empty() && isatty(STDIN_FILENO) != 0) {
    throw UsageError("expected a text to tokenize, or lines on stdin; see sdx-tokenize --help");
  }
  std::string line;
  for (std::size_t number = 1; take_line(line, number); ++number) {
    const std::string_view text = number == 1 ? without_byte_order_mark(line) : line;
    require_utf8(text, "stdin", number);
    if (const std::string prompt = trim(text); !prompt.empty()) use(prompt);
  }
}

/// From here on the program ends by a signal at once, as other filters do: without a word where
/// nobody reads its answers any more (`… | head`), and while it waits for a line.
void end_by_signals() {
  for (const int number : {SIGPIPE, SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
}

void require_written() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw IoError("stdout: writing failed");
  }
}

/// The embedding that stands at a position, or nothing.
const Splice* splice_at(const PromptChunk& chunk, std::size_t position) {
  for (const Splice& splice : chunk.splices) {
    if (static_cast<std::size_t>(splice.position) == position) return &splice;
  }
  return nullptr;
}

struct Token {
  std::string text;
  Json id;  ///< null where a vector is spliced in
  double weight = 1;
};

std::vector<Token> list_tokens(const TokenizedPrompt& prompt, const PromptChunk& chunk,
                               const Tokenizer& tokenizer) {
  std::vector<Token> tokens;
  const std::size_t first = tokenizer.special_tokens().has_begin() ? 1 : 0;
  for (std::size_t i = first; i < first + static_cast<std::size_t>(chunk.token_count); ++i) {
    const double weight = chunk.weights.empty() ? 1 : static_cast<double>(chunk.weights[i]);
    if (const Splice* splice = splice_at(chunk, i)) {
      const std::string& name = prompt.embeddings[splice->embedding];
      tokens.push_back(
          {placeholder(name) + "[" + std::to_string(splice->row) + "]", nullptr, weight});
    } else {
      tokens.push_back({tokenizer.piece(chunk.ids[i]), chunk.ids[i], weight});
    }
  }
  return tokens;
}

void print_json(const Stage& stage, const Tokenizer& tokenizer, const CommonOptions& common) {
  const TokenizedPrompt& prompt = stage.tokenized;
  Json chunks = Json::array();
  int count = 0;
  for (const PromptChunk& chunk : prompt.chunks) {
    Json tokens = Json::array();
    for (const Token& token : list_tokens(prompt, chunk, tokenizer)) {
      tokens.push_back({{"token", token.text}, {"id", token.id}, {"weight", token.weight}});
    }
    Json splices = Json::array();
    for (const Splice& splice : chunk.splices) {
      splices.push_back({{"name", prompt.embeddings[splice.embedding]},
                         {"row", splice.row},
                         {"position", splice.position}});
    }
    count += chunk.token_count;
    chunks.push_back({{"ids", chunk.ids}, {"tokens", tokens}, {"splices", splices}});
  }
  say_json(common, {{"text", prompt.text},
                    {"part", stage.part},
                    {"part_weight", stage.part_weight},
                    {"steps", {stage.first_step, stage.last_step}},
                    {"token_count", count},
                    {"chunks", chunks}});
}

void print_table(const Stage& stage, const Tokenizer& tokenizer) {
  const TokenizedPrompt& prompt = stage.tokenized;
  if (!stage.is_all || stage.part_weight != 1) {
    std::printf("part %zu, weight %g, steps %d to %d: ", stage.part, stage.part_weight,
                stage.first_step, stage.last_step);
  }
  std::printf("%s\n", prompt.text.c_str());
  int count = 0;
  for (std::size_t i = 0; i < prompt.chunks.size(); ++i) {
    const PromptChunk& chunk = prompt.chunks[i];
    std::size_t position = 0;
    for (const Token& token : list_tokens(prompt, chunk, tokenizer)) {
      ++position;
      std::printf("  chunk %zu  %2zu  %6s  %5.3g  %s\n", i + 1, position,
                  token.id.is_null() ? "vector" : token.id.dump().c_str(), token.weight,
                  token.text.c_str());
    }
    count += chunk.token_count;
  }
  const int capacity = tokenizer.special_tokens().capacity();
  std::printf("  %d tokens in %zu chunk%s of %d\n", count, prompt.chunks.size(),
              prompt.chunks.size() == 1 ? "" : "s", capacity);
  if (prompt.chunks.size() > 1) {
    say("This prompt is longer than a chunk: the text encoder reads its " +
        std::to_string(prompt.chunks.size()) + " chunks one by one");
  }
}

const SettingsTable<TokenizeOptions>& tokenize_settings() {
  static const SettingsTable<TokenizeOptions> kTable = [] {
    SettingsTable<TokenizeOptions> table;
    table.group("Input");
    table.add("text", &TokenizeOptions::texts, "Texts; none or -: the lines of stdin").positional();
    table
        .add("tokenizer", &TokenizeOptions::tokenizer,
             "A tokenizer folder or sentencepiece file instead of the model's")
        .names(SettingValue::kFile);
    table
        .add("embeddings", &TokenizeOptions::embeddings,
             "Folders or files in which <Name> is looked up")
        .names(SettingValue::kFile);
    table.add("grammar", &TokenizeOptions::grammar,
              "a1111: weights, edits, AND, BREAK; plain: all but <Name> is text");
    table.add("as-negative", &TokenizeOptions::is_negative,
              "Read the texts as negative prompts, in which AND is text");
    table.add("steps", &TokenizeOptions::steps, "Steps of the picture, for [edits:like this:0.5]")
        .at_least(1);
    table.add("decode", &TokenizeOptions::decode, "Token ids to turn back into text")
        .at_once(kMostIds);
    return table;
  }();
  return kTable;
}

std::vector<std::int64_t> parse_ids(const std::vector<std::string>& texts) {
  std::vector<std::int64_t> ids;
  for (const std::string& text : texts) {
    const auto id = settings_detail::read_number<std::int64_t>(text);
    if (!id) throw SettingError("decode", "whole numbers", text);
    ids.push_back(*id);
  }
  return ids;
}

void tokenize(const TokenizeOptions& options, const CommonOptions& common) {
  const std::unique_ptr<Tokenizer> tokenizer = options.tokenizer.empty()
                                                   ? open_model(common).load_tokenizer()
                                                   : load_tokenizer(options.tokenizer);
  if (!options.decode.empty()) {
    const std::vector<std::int64_t> ids = parse_ids(options.decode);
    const std::string text = tokenizer->decode(ids);
    say_json(common, {{"ids", ids}, {"text", text}});
    if (!common.json) std::puts(text.c_str());
    return;
  }
  EmbeddingTable embeddings;
  for (const std::string& place : options.embeddings) embeddings.add_from(place);
  const PromptRole role = options.is_negative ? PromptRole::kNegative : PromptRole::kPositive;
  end_by_signals();
  for_each_text(options, [&](const std::string& text) {
    const ParsedPrompt prompt = parse_prompt(text, options.grammar, role, embeddings);
    for (const Stage& stage : tokenize_stages(prompt, options.steps, *tokenizer, embeddings)) {
      if (common.json) {
        print_json(stage, *tokenizer, common);
      } else {
        print_table(stage, *tokenizer);
      }
    }
    require_written();
    for (const std::string& remark : list_prompt_remarks(text, options.grammar, role, embeddings)) {
      say(remark);
    }
  });
}

}  // namespace

std::function<void()> define_tokenize(CommandLine& line) {
  struct Asked {
    TokenizeOptions options;
    CommonOptions common;
  };
  auto asked = std::make_shared<Asked>();
  line.add(tokenize_settings(), asked->options);
  add_common_options(line, asked->common);
  return [asked] { tokenize(asked->options, asked->common); };
}

}  // namespace sdx
