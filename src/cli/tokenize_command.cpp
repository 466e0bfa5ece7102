#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/embedding/embedding_table.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

struct TokenizeOptions {
  std::vector<std::string> texts;
  std::string tokenizer;  ///< a tokenizer folder or a sentencepiece file; empty: the model's
  std::vector<std::string> embeddings = {"embeddings"};
  std::vector<std::int64_t> decode;
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

std::vector<std::string> read_lines(std::istream& input) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(input, line);) {
    if (line = trim(line); !line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> texts_to_tokenize(const TokenizeOptions& options) {
  if (!options.texts.empty() && options.texts != std::vector<std::string>{"-"}) {
    return options.texts;
  }
  if (options.texts.empty() && isatty(STDIN_FILENO) != 0) {
    throw UsageError("expected a text to tokenize, or lines on stdin; see sdx-tokenize --help");
  }
  return read_lines(std::cin);
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
  if (!stage.is_all) {
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

}  // namespace

void tokenize_command(int argc, char** argv) {
  TokenizeOptions options;
  CommonOptions common;
  OptionTable table("sdx-tokenize",
                    "Show how a text becomes tokens, chunks and spliced-in vectors.",
                    "  sdx-tokenize \"a rendering of <Johannes>\"\n"
                    "  sdx-tokenize --json < prompts.txt\n"
                    "  sdx-tokenize --tokenizer spiece.model \"Grüße\"\n"
                    "  sdx-tokenize --decode 320 1125\n");
  table.add("Input", "text", options.texts, "Texts; none or -: the lines of stdin");
  table.add("Input", "--tokenizer", options.tokenizer,
            "A tokenizer folder or sentencepiece file instead of the model's");
  table.add("Input", "--embeddings", options.embeddings,
            "Folders or files in which <Name> is looked up");
  table.add_parsed(
      "Input", "--grammar", std::string(to_string(options.grammar)),
      [&](const std::string& text) { options.grammar = parse_grammar(text); },
      "a1111: weights, edits, AND, BREAK; plain: all but <Name> is text");
  table.add_flag("Input", "--as-negative", options.is_negative,
                 "Read the texts as negative prompts, in which AND is text");
  table.add("Input", "--steps", options.steps, "Of the picture, for [edits:like this:0.5]")
      ->check(CLI::PositiveNumber);
  table.add("Input", "--decode", options.decode, "Token ids to turn back into text");
  add_common_options(table, common);
  table.parse(argc, argv);

  const std::unique_ptr<Tokenizer> tokenizer = options.tokenizer.empty()
                                                   ? open_model(common).load_tokenizer()
                                                   : load_tokenizer(options.tokenizer);
  if (!options.decode.empty()) {
    const std::string text = tokenizer->decode(options.decode);
    say_json(common, {{"ids", options.decode}, {"text", text}});
    if (!common.json) std::puts(text.c_str());
    return;
  }
  EmbeddingTable embeddings;
  for (const std::string& place : options.embeddings) embeddings.add_from(place);
  const PromptRole role = options.is_negative ? PromptRole::kNegative : PromptRole::kPositive;
  for (const std::string& text : texts_to_tokenize(options)) {
    const ParsedPrompt prompt = parse_prompt(text, options.grammar, role);
    for (const Stage& stage : tokenize_stages(prompt, options.steps, *tokenizer, embeddings)) {
      if (common.json) {
        print_json(stage, *tokenizer, common);
      } else {
        print_table(stage, *tokenizer);
      }
    }
  }
}

}  // namespace sdx
