#include "sdx/model/lora.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "model/import/tensor_file.h"
#include "model/lora/lora_kinds.h"
#include "model/lora/lora_metadata.h"
#include "model/lora/lora_names.h"
#include "sdx/tensor/container.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kShortHashDigits = 12;

[[noreturn]] void fail(const fs::path& file, const std::string& reason) {
  throw DataError(file.string() + ": " + reason);
}

void check_tensor(const fs::path& file, const std::string& name, const at::Tensor& tensor) {
  if (!at::isFloatingType(tensor.scalar_type())) {
    fail(file, "tensor " + quote_text(name) + ": expected floating-point numbers, found " +
                   dtype_name(tensor.scalar_type()));
  }
  if (!at::isfinite(tensor).all().item<bool>()) {
    fail(file, "tensor " + quote_text(name) +
                   " has values that are not finite (NaN or infinite): its training failed, or the "
                   "file is damaged");
  }
}

double read_alpha(const fs::path& file, const std::string& name, const at::Tensor& tensor) {
  if (tensor.numel() != 1) {
    fail(file, "tensor " + quote_text(name) + ": expected one number, found " +
                   std::to_string(tensor.numel()));
  }
  const double alpha = tensor.to(at::kDouble).item<double>();
  if (!std::isfinite(alpha)) fail(file, "tensor " + quote_text(name) + " is not finite");
  return alpha;
}

/// What the file is that has no layer of a LoRA in it.
[[noreturn]] void fail_as_no_lora(const fs::path& file, const TensorMap& tensors) {
  const auto has = [&tensors](std::string_view piece) {
    return std::ranges::any_of(tensors, [piece](const auto& entry) {
      return entry.first.find(piece) != std::string::npos;
    });
  };
  const bool is_model = has("model.diffusion_model.") || has("first_stage_model.") ||
                        has("down_blocks.") || has("text_model.encoder.layers.");
  if (is_model) {
    fail(file,
         "this is a checkpoint or a part of one, with whole weights; expected a LoRA, which has "
         "differences. sdx-model import makes a model of a checkpoint");
  }
  const bool is_embedding =
      has("emb_params") || has("clip_g") || has("string_to_param") ||
      (tensors.size() < 10 && std::ranges::all_of(tensors, [](const auto& entry) {
         return entry.second.dim() <= 2 && entry.first.find('.') == std::string::npos;
       }));
  if (is_embedding && !tensors.empty()) {
    fail(file,
         "this is an embedding, a word for prompts; expected a LoRA. Put it into the folder of "
         "embeddings, and write <Name> in the prompt");
  }
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (names.size() == 3) break;
    names.push_back(quote_text(name));
  }
  fail(file, "expected a LoRA, found " +
                 (names.empty() ? std::string("no tensors") : "tensors " + join(names, ", ")));
}

TensorFile read_tensors(const fs::path& file) {
  require_readable(file);
  if (fs::is_directory(file)) fail(file, "is a folder; expected a LoRA file");
  if (find_container(file) == TensorContainer::kTorch) {
    const PickleValue root = read_torch_file(file, TorchChecks::kPickleOnly);
    if (root.find("string_to_param") != nullptr) fail_as_no_lora(file, {{"string_to_param", {}}});
  }
  return map_tensor_file(file);
}

/// The tensors of a file, sorted by layer.
class Sorting {
 public:
  explicit Sorting(Lora& lora) : lora_(lora) {}

  void take(const std::string& name, const at::Tensor& tensor) {
    if (name.starts_with(kLoraWordPrefix)) {
      lora_.has_words = true;
      return;
    }
    if (const std::string_view kind = find_unread_kind(name); !kind.empty()) {
      fail(lora_.file, "holds " + std::string(kind) + " (" + quote_text(name) +
                           "), which is not read here; LoRA, LoCon, LoHa, LoKr, DoRA and whole "
                           "differences are");
    }
    const auto parsed = parse_lora_tensor(name);
    if (!parsed) return static_cast<void>(lora_.unknown.push_back(name));
    if (const std::string_view family = find_foreign_family(parsed->layer); !family.empty()) {
      fail(lora_.file, "was made for " + std::string(family) + " (" + quote_text(name) +
                           "); expected a LoRA of Stable Diffusion 1, 2 or XL");
    }
    const auto place = find_lora_place(parsed->layer);
    if (!place) return static_cast<void>(lora_.unknown.push_back(name));
    LoraLayer& layer = layers_[parsed->layer];
    layer.name = parsed->layer;
    layer.part = place->part;
    layer.path = place->path;
    check_tensor(lora_.file, name, tensor);
    if (!parsed->role) {
      layer.alpha = read_alpha(lora_.file, name, tensor);
      return;
    }
    if (!layer.tensors.emplace(*parsed->role, tensor).second) {
      fail(lora_.file, "layer " + quote_text(layer.name) + " has two tensors of one meaning, " +
                           quote_text(name) + " and another");
    }
    if (parsed->is_of_any_kind) return;
    const bool is_other = has_kind_.contains(layer.name) && layer.kind != parsed->kind;
    if (is_other) {
      fail(lora_.file, "layer " + quote_text(layer.name) + " is of two kinds, " +
                           std::string(to_string(layer.kind)) + " and " +
                           std::string(to_string(parsed->kind)));
    }
    layer.kind = parsed->kind;
    has_kind_.insert(layer.name);
  }

  void finish() {
    for (auto& [name, layer] : layers_) {
      const LoraKindRow& row = lora_kind_row(layer.kind);
      if (!has_kind_.contains(name)) {
        fail(lora_.file, "layer " + quote_text(name) +
                             " has an alpha or a magnitude, and nothing that they belong to");
      }
      if (const std::string fault = row.find_fault(layer); !fault.empty()) {
        fail(lora_.file, "layer " + quote_text(name) + ": " + fault +
                             "; the file is damaged or was not saved whole");
      }
      layer.rank = row.find_rank(layer);
      lora_.layers.push_back(std::move(layer));
    }
  }

 private:
  Lora& lora_;
  std::map<std::string, LoraLayer> layers_;
  std::set<std::string> has_kind_;
};

}  // namespace

bool LoraLayer::has_kernel() const {
  return std::ranges::any_of(tensors, [](const auto& entry) {
    const at::Tensor& tensor = entry.second;
    return tensor.dim() == 4 && tensor.size(2) * tensor.size(3) > 1;
  });
}

double LoraLayer::scale() const {
  if (!alpha || rank == 0) return 1;
  return *alpha / (root_rank ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
}

std::shared_ptr<const Lora> read_lora(const fs::path& file) {
  TensorFile content = read_tensors(file);
  auto lora = std::make_shared<Lora>();
  lora->file = file;
  lora->metadata = std::move(content.metadata);
  Sorting sorting(*lora);
  for (const auto& [name, tensor] : content.tensors) sorting.take(name, tensor);
  sorting.finish();
  if (lora->layers.empty()) fail_as_no_lora(file, content.tensors);
  apply_stated_alphas(*lora);
  lora->short_hash = short_lora_hash(file);
  return lora;
}

std::string short_lora_hash(const fs::path& file) {
  constexpr std::size_t kLengthBytes = 8;
  const auto mapping = MappedFile::open(file);
  const std::span<const std::byte> bytes = mapping->bytes();
  std::uint64_t header = 0;
  if (find_container(file) == TensorContainer::kSafetensors && bytes.size() > kLengthBytes) {
    std::memcpy(&header, bytes.data(), kLengthBytes);
    header = std::min<std::uint64_t>(header, bytes.size() - kLengthBytes) + kLengthBytes;
  }
  return sha256_hex(bytes.subspan(header)).substr(0, kShortHashDigits);
}

}  // namespace sdx
