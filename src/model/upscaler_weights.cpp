#include "model/upscaler_weights.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "model/network_file.h"
#include "sdx/tensor/container.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kColours = 3;

/// Where training programs keep the weights within a file; of two, the averaged ones are meant.
constexpr std::array<const char*, 4> kDicts = {"params_ema", "params", "state_dict", "model"};

TensorMap read_tensors(const fs::path& file) {
  if (find_container(file) == TensorContainer::kSafetensors) return map_safetensors(file).tensors;
  const PickleValue root = read_torch_file(file);
  for (const char* key : kDicts) {
    const PickleValue* const inner = root.find(key);
    if (inner != nullptr && inner->dict() != nullptr) {
      return list_tensors(inner, file.string() + ": " + key);
    }
  }
  return list_tensors(&root, file.string());
}

std::string shape_text(at::IntArrayRef shape) {
  std::vector<std::string> sides;
  for (const std::int64_t side : shape) sides.push_back(std::to_string(side));
  return "[" + join(sides, ",") + "]";
}

/// The tensors of a file, each of which is taken once.
class Weights {
 public:
  Weights(fs::path file, TensorMap tensors, c10::Device device)
      : file_(std::move(file)), device_(device) {
    for (auto& [name, tensor] : tensors) {
      const std::string_view prefix = "module.";  // of training on several GPUs
      const bool has_prefix = name.starts_with(prefix);
      tensors_[has_prefix ? name.substr(prefix.size()) : name] = tensor;
    }
  }

  bool has(const std::string& name) const { return tensors_.contains(name); }

  /// The shape of a tensor that is there.
  at::IntArrayRef shape(const std::string& name) const { return tensors_.at(name).sizes(); }

  const TensorMap& all() const { return tensors_; }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError("`upscale` " + file_.string() + ": " + what);
  }

  /// How many there are of names like "body.7.rdb1…": one more than the largest number.
  int count(const std::string& before) const {
    int most = 0;
    for (const auto& [name, tensor] : tensors_) {
      if (!name.starts_with(before)) continue;
      int number = 0;
      const char* const end = name.data() + name.size();
      const auto [rest, error] = std::from_chars(name.data() + before.size(), end, number);
      constexpr int kMost = 1000;
      if (error == std::errc() && rest != end && *rest == '.' && number >= 0 && number < kMost) {
        most = std::max(most, number + 1);
      }
    }
    return most;
  }

  at::Tensor take(const std::string& name, at::IntArrayRef expected) {
    const at::Tensor tensor =
        copy_weight(tensors_, name, device_, [this](const std::string& what) { fail(what); });
    if (tensor.sizes() != expected) {
      fail("'" + name + "': expected the shape " + shape_text(expected) + ", found " +
           shape_text(tensor.sizes()));
    }
    taken_.insert(name);
    return tensor;
  }

  ConvolutionWeights take_convolution(const std::string& name, std::int64_t out, std::int64_t in,
                                      std::int64_t side = 3) {
    return {take(name + ".weight", {out, in, side, side}), take(name + ".bias", {out})};
  }

  /// @throws DataError if there is more than the network has.
  void require_all_taken() const {
    for (const auto& [name, tensor] : tensors_) {
      if (!taken_.contains(name)) {
        fail("it has a tensor '" + name +
             "' that an ESRGAN of its size has not: it is of another "
             "kind, or changed");
      }
    }
  }

 private:
  fs::path file_;
  c10::Device device_;
  TensorMap tensors_;
  std::set<std::string> taken_;
};

/// How one generation of files names the parts of an ESRGAN.
struct EsrganNames {
  std::string first;
  std::string blocks;  ///< before a block's number
  const char* dense;   ///< before a dense block's number
  const char* inner;   ///< behind a convolution's number
  std::string trunk;
  std::vector<std::string> enlarging;
  std::string fine;
  std::string last;
};

std::string numbered(const char* before, int number, const char* after = "") {
  return before + std::to_string(number) + after;
}

std::optional<EsrganNames> find_names(const Weights& weights) {
  if (weights.has("model.0.weight") && weights.count("model.1.sub.") > 0) {
    // A list: the trunk at 1, then three for each enlargement, then two convolutions with a
    // rectifier between.
    EsrganNames names{"model.0", "model.1.sub.", "RDB", ".0", {}, {}, {}, {}};
    names.trunk = numbered("model.1.sub.", weights.count("model.1.sub.") - 1);
    const int last = weights.count("model.") - 1;
    const int enlargements = (last - 4) / 3;
    if (last < 4 || (last - 4) % 3 != 0) return std::nullopt;
    for (int i = 1; i <= enlargements; ++i) names.enlarging.push_back(numbered("model.", 3 * i));
    names.fine = numbered("model.", last - 2);
    names.last = numbered("model.", last);
    return names;
  }
  if (!weights.has("conv_first.weight")) return std::nullopt;
  const bool is_renamed = weights.has("trunk_conv.weight");
  EsrganNames names =
      is_renamed
          ? EsrganNames{"conv_first", "RRDB_trunk.", "RDB",      "", "trunk_conv",
                        {},           "HRconv",      "conv_last"}
          : EsrganNames{"conv_first", "body.", "rdb", "", "conv_body", {}, "conv_hr", "conv_last"};
  const char* const enlarging = is_renamed ? "upconv" : "conv_up";
  for (int i = 1; weights.has(numbered(enlarging, i, ".weight")); ++i) {
    names.enlarging.push_back(numbered(enlarging, i));
  }
  return names;
}

EsrganWeights read_esrgan(Weights& weights, const EsrganNames& names) {
  EsrganWeights network;
  const at::IntArrayRef first = weights.shape(names.first + ".weight");
  if (first.size() != 4) weights.fail("'" + names.first + ".weight' is no convolution's");
  const std::int64_t channels = first[0];
  const std::int64_t inputs = first[1];
  network.unshuffle =
      static_cast<int>(std::lround(std::sqrt(static_cast<double>(inputs) / kColours)));
  const std::int64_t step = network.unshuffle;
  if ((step != 1 && step != 2 && step != 4) || inputs != kColours * step * step) {
    weights.fail(
        "expected a network of 3 channels of colour, or 12 or 48 (by pixel-unshuffle), "
        "found one of " +
        std::to_string(inputs));
  }
  if (names.enlarging.size() > 3 ||
      (std::size_t{1} << names.enlarging.size()) < static_cast<std::size_t>(step)) {
    weights.fail("a picture would become " +
                 std::to_string(std::size_t{1} << names.enlarging.size()) + " / " +
                 std::to_string(step) + " times as large; expected a factor of 1, 2, 4 or 8");
  }
  network.first = weights.take_convolution(names.first, channels, inputs);

  const int blocks = weights.count(names.blocks) - (names.trunk.starts_with(names.blocks) ? 1 : 0);
  const auto inner_name = [&](int block, int dense, int convolution) {
    return names.blocks + std::to_string(block) + "." + names.dense + std::to_string(dense) +
           ".conv" + std::to_string(convolution) + names.inner;
  };
  const std::string growing = inner_name(0, 1, 1) + ".weight";
  if (blocks < 1 || !weights.has(growing))
    weights.fail("expected a tensor '" + growing + "', which is not in it");
  const std::int64_t growth = weights.shape(growing).empty() ? 0 : weights.shape(growing)[0];
  for (int block = 0; block < blocks; ++block) {
    ResidualBlockWeights& taken = network.blocks.emplace_back();
    for (int dense = 0; dense < 3; ++dense) {
      for (int i = 0; i < 5; ++i) {
        taken[static_cast<std::size_t>(dense)][static_cast<std::size_t>(i)] =
            weights.take_convolution(inner_name(block, dense + 1, i + 1),
                                     i == 4 ? channels : growth, channels + i * growth);
      }
    }
  }
  network.trunk = weights.take_convolution(names.trunk, channels, channels);
  for (const std::string& name : names.enlarging) {
    network.enlarging.push_back(weights.take_convolution(name, channels, channels));
  }
  network.fine = weights.take_convolution(names.fine, channels, channels);
  network.last = weights.take_convolution(names.last, kColours, channels);
  return network;
}

/// Convolutions at even places, the slopes of the rectifiers between them.
CompactWeights read_compact(Weights& weights) {
  CompactWeights network;
  const int last = weights.count("body.") - 1;
  const auto name = [](int place) { return numbered("body.", place); };
  const std::string last_weight = name(last) + ".weight";
  if (last < 2 || last % 2 != 0 || !weights.has(last_weight) ||
      weights.shape(last_weight).size() != 4) {
    weights.fail("expected convolutions at even places of 'body', the last one at its end");
  }
  const std::int64_t channels = weights.shape("body.0.weight")[0];
  const std::int64_t outputs = weights.shape(last_weight)[0];
  network.scale = static_cast<int>(std::lround(std::sqrt(static_cast<double>(outputs) / kColours)));
  const std::int64_t scale = network.scale;
  if (scale < 1 || scale > 8 || outputs != kColours * scale * scale) {
    weights.fail("expected 3, 12, 27, 48 … channels at its end (a factor of 1, 2, 3, 4 …), found " +
                 std::to_string(outputs));
  }
  for (int place = 0; place <= last; place += 2) {
    network.convolutions.push_back(weights.take_convolution(
        name(place), place == last ? outputs : channels, place == 0 ? kColours : channels));
    if (place < last) {
      network.slopes.push_back(weights.take(name(place + 1) + ".weight", {channels}));
    }
  }
  return network;
}

std::string describe_other(const Weights& weights) {
  const std::string other = find_other_kind(weights.all(), "an upscaler");
  if (!other.empty()) return "it is " + other;
  if (weights.all().empty()) return "it has no tensors";
  return "its tensors are others ('" + weights.all().begin()->first + "', …)";
}

}  // namespace

int UpscalerWeights::scale() const {
  if (compact) return compact->scale;
  return (1 << esrgan->enlarging.size()) / esrgan->unshuffle;
}

UpscalerWeights read_upscaler_weights(const fs::path& file, c10::Device device) {
  Weights weights(file, read_tensors(file), device);
  UpscalerWeights network;
  if (const auto names = find_names(weights)) {
    network.esrgan = read_esrgan(weights, *names);
  } else if (weights.has("body.0.weight") && weights.shape("body.0.weight").size() == 4) {
    network.compact = read_compact(weights);
  } else {
    weights.fail("no upscaler of the ESRGAN family: " + describe_other(weights));
  }
  weights.require_all_taken();
  return network;
}

}  // namespace sdx
