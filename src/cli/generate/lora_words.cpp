#include "cli/generate/lora_words.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "sdx/cli/tool.h"
#include "sdx/embedding/lora_words.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/prompt/networks.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

using Loras = std::vector<std::shared_ptr<const Lora>>;

/// Those that a prompt names or asks for, as far as they are there.
Loras list_loras(const ImageOptions& prompt, LoraTable& table) {
  Loras loras;
  for (const NetworkTag& tag : list_networks(prompt.prompt)) {
    if (table.contains(tag.name)) loras.push_back(table.at(tag.name));
  }
  for (const std::string& asked : prompt.loras) {
    const std::string name = parse_network(asked).name;
    std::error_code unseen;
    if (std::filesystem::exists(name, unseen) || table.contains(name)) {
      loras.push_back(table.open(name));
    }
  }
  return loras;
}

std::vector<Embedding> read_words(const Lora& lora) {
  return lora.has_words ? read_lora_words(lora.file) : std::vector<Embedding>();
}

/// Whether a picture has a LoRA, be it with the strength 0.
bool has_lora(const ImageRequest& request, const Lora& lora) {
  return std::ranges::any_of(request.settings.loras,
                             [&](const AppliedLora& one) { return one.lora.get() == &lora; }) ||
         std::ranges::any_of(list_networks(request.prompt), [&](const NetworkTag& tag) {
           return is_same_name(tag.name, lora.name());
         });
}

}  // namespace

void bracket_known_names(ImageOptions& prompt, const EmbeddingTable& of_files, LoraTable& loras) {
  EmbeddingTable known = of_files;
  for (const auto& lora : list_loras(prompt, loras)) {
    for (Embedding& word : read_words(*lora)) known.add_distinct(std::move(word));
  }
  prompt.prompt = bracket_bare_names(prompt.prompt, known);
  prompt.negative = bracket_bare_names(prompt.negative, known);
  std::string& of_faces = prompt.settings.faces.prompt;
  of_faces = bracket_bare_names(of_faces, known);
}

void add_words_of_loras(const std::vector<ImageJob>& jobs, const LoraTable& loras,
                        EmbeddingTable& embeddings) {
  std::map<std::string, Loras> homes;  // of the words that lie in no file of their own
  std::vector<Embedding> words;
  for (const auto& lora : loras.list_read()) {
    for (Embedding& word : read_words(*lora)) {
      if (!embeddings.contains(word.name)) homes[canonical_name(word.name)].push_back(lora);
      words.push_back(std::move(word));
    }
  }
  for (Embedding& word : words) embeddings.add_distinct(std::move(word));
  if (homes.empty()) return;
  const EmbeddingSizes known(embeddings);
  for (const ImageJob& job : jobs) {
    for (const std::string& name : list_embedding_names(job.request, known)) {
      const auto home = homes.find(canonical_name(name));
      if (home == homes.end()) continue;
      const Loras& inside_of = home->second;
      if (std::ranges::any_of(inside_of,
                              [&](const auto& lora) { return has_lora(job.request, *lora); })) {
        continue;
      }
      throw UsageError(placeholder(name) + " is a word inside of the LoRA " +
                       in_quotes(inside_of.front()->name()) + ", which the prompt " +
                       in_quotes(job.request.prompt) + " does not name; add " +
                       write_network(inside_of.front()->name(), 1, 1));
    }
  }
}

void say_lora_misfits(const Bundle& bundle, const std::vector<ImageJob>& jobs) {
  std::set<const Lora*> seen;
  for (const ImageJob& job : jobs) {
    for (const AppliedLora& applied : job.request.settings.loras) {
      if (!seen.insert(applied.lora.get()).second) continue;
      const LoraFit fit = fit_lora(*applied.lora, bundle);
      for (const std::string& remark : describe_misfits(*applied.lora, fit, bundle.info().name)) {
        say(remark);
      }
    }
  }
}

}  // namespace sdx
