#include "sdx/embedding/lora_words.h"

#include <ATen/ops/isfinite.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sdx/tensor/container.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "bundle_emb.";

/// What stands behind a word's name, and for which text encoder its vectors are.
struct Ending {
  std::string_view text;
  std::size_t encoder;
};

constexpr std::array<Ending, 4> kEndings = {
    {{".string_to_param.*", 0}, {".emb_params", 0}, {".clip_l", 0}, {".clip_g", 1}}};

[[noreturn]] void fail(const fs::path& file, const std::string& key, const std::string& reason) {
  throw DataError(file.string() + ": tensor " + in_quotes(key) + " of a word: " + reason);
}

at::Tensor read_vectors(const fs::path& file, const std::string& key, const at::Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.dim() < 1 || tensor.dim() > 2 || tensor.numel() == 0) {
    fail(file, key,
         "expected floating-point vectors [K,W], found " + std::to_string(tensor.dim()) +
             " dimensions of " + dtype_name(tensor.scalar_type()));
  }
  const at::Tensor vectors = tensor.to(at::kFloat).reshape({-1, tensor.size(-1)}).clone();
  if (!at::isfinite(vectors).all().item<bool>()) fail(file, key, "has values that are not finite");
  return vectors;
}

struct Content {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

Content read_content(const fs::path& file) {
  if (find_container(file) == TensorContainer::kTorch) {
    const PickleValue root = read_torch_file(file, TorchChecks::kPickleOnly);
    return {list_tensors(&root, file.string()), {}};
  }
  Safetensors content = map_safetensors(file);
  return {std::move(content.tensors), std::move(content.metadata)};
}

EmbeddingVectors join(const fs::path& file, const std::string& name,
                      const std::array<at::Tensor, 2>& halves) {
  if (!halves[1].defined()) return {halves[0]};
  if (halves[0].defined() && halves[0].size(0) != halves[1].size(0)) {
    throw DataError(file.string() + ": the word " + placeholder(name) + " inside has " +
                    std::to_string(halves[0].size(0)) + " vectors for the first text encoder and " +
                    std::to_string(halves[1].size(0)) + " for the second; both need as many");
  }
  return EmbeddingVectors(std::vector<at::Tensor>(halves.begin(), halves.end()));
}

}  // namespace

std::vector<Embedding> read_lora_words(const fs::path& file) {
  const Content content = read_content(file);
  std::map<std::string, std::array<at::Tensor, 2>> words;
  for (const auto& [key, tensor] : content.tensors) {
    if (!key.starts_with(kPrefix)) continue;
    const auto ending = std::ranges::find_if(
        kEndings, [&key = key](const Ending& one) { return key.ends_with(one.text); });
    if (ending == kEndings.end()) {
      fail(file, key, "expected an ending .string_to_param.*, .clip_l or .clip_g");
    }
    const std::size_t length = key.size() - kPrefix.size();
    const std::string name = length <= ending->text.size()
                                 ? ""
                                 : key.substr(kPrefix.size(), length - ending->text.size());
    if (!is_usable_name(name)) fail(file, key, "no word can have this name");
    words[name].at(ending->encoder) = read_vectors(file, key, tensor);
  }
  std::vector<Embedding> embeddings;
  for (const auto& [name, halves] : words) {
    EmbeddingVectors vectors = join(file, name, halves);
    const std::string remark = describe_reach(vectors);
    embeddings.push_back({name, std::move(vectors), content.metadata, file, remark});
  }
  return embeddings;
}

}  // namespace sdx
