#include "model/tiny_autoencoder_weights.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "model/network_file.h"
#include "sdx/tensor/container.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kColours = 3;
constexpr int kMostLayers = 100;

/// How one kind of file names an encoder's or decoder's layers: what stands before their numbers.
constexpr std::array<std::string_view, 4> kBeforeDecoder = {"decoder.layers.", "decoder.",
                                                            "taesd_decoder.", ""};
constexpr std::array<std::string_view, 4> kBeforeEncoder = {"encoder.layers.", "encoder.",
                                                            "taesd_encoder.", ""};

/// Settings of diffusers that change what is computed. Another value is another network.
void check_config(const fs::path& file) {
  const Json config = read_json_file(file);
  const auto text = [&](const char* key, const char* usual) {
    const auto found = config.find(key);
    return found != config.end() && found->is_string() ? found->get<std::string>()
                                                       : std::string(usual);
  };
  const auto fail = [&](const std::string& key, const std::string& expected,
                        const std::string& found) {
    throw DataError(file.string() + ": " + key + ": expected " + expected + ", found " +
                    in_quotes(found) + "; this is no TAESD or TAESDXL");
  };
  if (const std::string name = text("_class_name", "AutoencoderTiny"); name != "AutoencoderTiny") {
    fail("_class_name", "AutoencoderTiny", name);
  }
  if (const std::string name = text("act_fn", "relu"); name != "relu") fail("act_fn", "relu", name);
  for (const auto& [key, usual] : {std::pair{"scaling_factor", 1.0}, {"shift_factor", 0.0}}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) continue;
    if (!found->is_number() || found->get<double>() != usual) {
      fail(key, usual == 0 ? "0" : "1", found->dump());
    }
  }
}

TensorMap read_tensors(const fs::path& file) {
  if (find_container(file) == TensorContainer::kSafetensors) return map_safetensors(file).tensors;
  const PickleValue root = read_torch_file(file);
  const PickleValue* const inner = root.find("state_dict");
  return list_tensors(inner != nullptr ? inner : &root, file.string());
}

std::string shape_text(at::IntArrayRef shape) {
  std::vector<std::string> sides;
  for (const std::int64_t side : shape) sides.push_back(std::to_string(side));
  return "[" + join(sides, ",") + "]";
}

/// The tensors of a file, each of which is taken once.
class FileWeights {
 public:
  FileWeights(fs::path file, c10::Device device)
      : file_(std::move(file)), device_(device), tensors_(read_tensors(file_)) {}

  const TensorMap& all() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(file_.string() + ": " + what);
  }

  /// @param out, in 0: any
  at::Tensor take_weight(const std::string& name, std::int64_t out, std::int64_t in,
                         std::int64_t side) {
    const at::Tensor tensor = take(name);
    const auto fits = [](std::int64_t found, std::int64_t expected) {
      return found > 0 && (expected == 0 || found == expected);
    };
    if (tensor.dim() == 4 && fits(tensor.size(0), out) && fits(tensor.size(1), in) &&
        tensor.size(2) == side && tensor.size(3) == side) {
      return tensor;
    }
    const auto any = [](std::int64_t size) { return size == 0 ? "any" : std::to_string(size); };
    fail("'" + name + "': expected the shape [" + any(out) + "," + any(in) + "," +
         std::to_string(side) + "," + std::to_string(side) + "], found " +
         shape_text(tensor.sizes()));
  }

  /// Its bias may be missing.
  TinyConvolution take_convolution(const std::string& name, std::int64_t out, std::int64_t in) {
    TinyConvolution taken{take_weight(name + ".weight", out, in, 3), {}};
    if (!has(name + ".bias")) return taken;
    taken.bias = take(name + ".bias");
    if (taken.bias.dim() != 1 || taken.bias.size(0) != taken.weight.size(0)) {
      fail("'" + name + ".bias': expected the shape [" + std::to_string(taken.weight.size(0)) +
           "], found " + shape_text(taken.bias.sizes()));
    }
    return taken;
  }

  /// @throws DataError if more stands in the file than the network has.
  void require_all_taken() const {
    for (const auto& [name, tensor] : tensors_) {
      if (taken_.contains(name) || name == "vae_scale" || name == "vae_shift") continue;
      fail("it has a tensor '" + name +
           "' that TAESD has not: it is a network of another kind, or a newer one");
    }
  }

 private:
  at::Tensor take(const std::string& name) {
    taken_.insert(name);
    return copy_weight(tensors_, name, device_, [this](const std::string& what) { fail(what); });
  }

  fs::path file_;
  c10::Device device_;
  TensorMap tensors_;
  std::set<std::string> taken_;
};

/// The layers by their numbers: whether each is a block.
std::map<int, bool> list_layers(const TensorMap& tensors, std::string_view before) {
  std::map<int, bool> layers;
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(before)) continue;
    const char* const end = name.data() + name.size();
    int number = 0;
    const auto [rest, error] = std::from_chars(name.data() + before.size(), end, number);
    if (error != std::errc() || rest == end || *rest != '.') continue;
    if (number < 0 || number >= kMostLayers) continue;
    const std::string_view behind(rest + 1, static_cast<std::size_t>(end - rest - 1));
    if (behind == "conv.0.weight") layers[number] = true;
    if (behind == "weight") layers[number] = false;
  }
  return layers;
}

/// Whether the first and the last layer are convolutions and a block is among the others.
bool is_network(const std::map<int, bool>& layers) {
  return layers.size() > 2 && !layers.begin()->second && !layers.rbegin()->second &&
         std::ranges::any_of(layers, [](const auto& layer) { return layer.second; });
}

TinyLayers take_layers(FileWeights& weights, std::string_view before,
                       const std::map<int, bool>& numbers, std::int64_t inputs,
                       std::int64_t outputs) {
  TinyLayers layers;
  std::int64_t channels = inputs;
  const int last = numbers.rbegin()->first;
  for (const auto& [number, is_block] : numbers) {
    const std::string name = std::string(before) + std::to_string(number);
    if (!is_block) {
      TinyConvolution taken =
          weights.take_convolution(name, number == last ? outputs : 0, channels);
      const bool is_outer = number == last || number == numbers.begin()->first;
      if (is_outer && taken.changes_size()) {
        weights.fail("expected a tensor '" + name + ".bias', which is not in it");
      }
      channels = taken.weight.size(0);
      layers.emplace_back(std::move(taken));
      continue;
    }
    TinyBlock block;
    std::int64_t seen = channels;
    for (const char* inner : {".conv.0", ".conv.2", ".conv.4"}) {
      block.convolutions.push_back(
          weights.take_convolution(name + inner, block.convolutions.empty() ? 0 : channels, seen));
      if (block.convolutions.back().changes_size()) {
        weights.fail("expected a tensor '" + name + inner + ".bias', which is not in it");
      }
      if (block.convolutions.size() == 1) channels = block.convolutions[0].weight.size(0);
      seen = channels;
    }
    const std::int64_t entering = block.convolutions[0].weight.size(1);
    if (weights.has(name + ".skip.weight")) {
      block.skip = weights.take_weight(name + ".skip.weight", channels, entering, 1);
    } else if (entering != channels) {
      weights.fail("expected a tensor '" + name + ".skip.weight', which is not in it");
    }
    layers.emplace_back(std::move(block));
  }
  return layers;
}

int find_factor(const TinyLayers& layers) {
  int factor = 1;
  for (const auto& layer : layers) {
    const auto* const convolution = std::get_if<TinyConvolution>(&layer);
    if (convolution != nullptr && convolution->changes_size() && factor < 64) factor *= 2;
  }
  return factor;
}

std::string describe_other(const TensorMap& tensors) {
  const std::string other = find_other_kind(tensors, "a tiny autoencoder");
  if (!other.empty()) return "it is " + other;
  if (tensors.empty()) return "it has no tensors";
  return "its tensors are others (" + in_quotes(tensors.begin()->first) + ", …)";
}

}  // namespace

TinyAutoencoderWeights read_tiny_autoencoder(const fs::path& file, c10::Device device) {
  std::error_code ignored;
  if (file.filename().string().starts_with(kTinyWeightsName) &&
      fs::exists(file.parent_path() / "config.json", ignored)) {
    check_config(file.parent_path() / "config.json");
  }
  FileWeights weights(file, device);
  TinyAutoencoderWeights network;
  // An encoder ends in as many channels as a decoder begins with, and a bare file is one of them.
  for (std::size_t way = 0; way < kBeforeDecoder.size(); ++way) {
    const auto decoder = list_layers(weights.all(), kBeforeDecoder[way]);
    if (!is_network(decoder)) continue;
    const std::string first =
        std::string(kBeforeDecoder[way]) + std::to_string(decoder.begin()->first) + ".weight";
    const at::Tensor& entry = weights.all().at(first);
    const bool is_bare_encoder = kBeforeDecoder[way].empty() && decoder.begin()->first == 0 &&
                                 entry.dim() == 4 && entry.size(1) == kColours;
    if (is_bare_encoder) {
      weights.fail(
          "it is the encoder of a tiny autoencoder, which makes latents of pictures; expected its "
          "decoder (taesd_decoder)");
    }
    network.decoder = take_layers(weights, kBeforeDecoder[way], decoder, 0, kColours);
    network.latent_channels =
        static_cast<int>(std::get<TinyConvolution>(network.decoder.front()).weight.size(1));
    network.factor = find_factor(network.decoder);
    const auto encoder = list_layers(weights.all(), kBeforeEncoder[way]);
    if (!kBeforeEncoder[way].empty() && is_network(encoder)) {
      network.encoder =
          take_layers(weights, kBeforeEncoder[way], encoder, kColours, network.latent_channels);
      if (find_factor(*network.encoder) != network.factor) {
        weights.fail(
            "its encoder makes a picture " + std::to_string(find_factor(*network.encoder)) +
            " times smaller, its decoder " + std::to_string(network.factor) + " times larger");
      }
    }
    weights.require_all_taken();
    return network;
  }
  weights.fail("no tiny autoencoder (TAESD): " + describe_other(weights.all()));
}

}  // namespace sdx
