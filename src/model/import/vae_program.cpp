#include "model/import/programs.h"

namespace sdx {

namespace {

constexpr double kNormEpsilon = 1e-6;

class VaeComposer {
 public:
  VaeComposer(const std::string& part_name, const VaeConfig& config, const TensorMap& weights,
              const std::string& weights_file)
      : config_(config), composer_(part_name, weights, weights_file) {}

  Composer::Program compose_encoder() {
    std::string body = "    x = " + conv3x3("encoder.conv_in", 3, channels(0)) + "\n";
    int in = channels(0);
    for (int level = 0; level < levels(); ++level) {
      const std::string block = "encoder.down_blocks." + std::to_string(level);
      body += resnets(block, config_.layers_per_level, in, channels(level));
      in = channels(level);
      if (level + 1 < levels()) {
        // The reference pads right and bottom only.
        body += "    x = torch.constant_pad_nd(x, [0, 1, 0, 1])\n    x = " +
                composer_.conv2d("", block + ".downsamplers.0.conv", "x", in, in, 3, 2) + "\n";
      }
    }
    const int moments = 2 * config_.latent_channels;
    body += middle("encoder.mid_block", in) + head("encoder", in, moments);
    body += "    return " + composer_.conv2d("", "quant_conv", "x", moments, moments, 1) + "\n";
    return define_forward(body);
  }

  Composer::Program compose_decoder() {
    const int latent = config_.latent_channels;
    int in = channels(levels() - 1);
    std::string body =
        "    x = " + composer_.conv2d("", "post_quant_conv", "x", latent, latent, 1) +
        "\n    x = " + conv3x3("decoder.conv_in", latent, in) + "\n" +
        middle("decoder.mid_block", in);
    for (int block_index = 0; block_index < levels(); ++block_index) {
      const int level = levels() - 1 - block_index;
      const std::string block = "decoder.up_blocks." + std::to_string(block_index);
      body += resnets(block, config_.layers_per_level + 1, in, channels(level));
      in = channels(level);
      if (level > 0) {
        body += "    x = torch.upsample_nearest2d(x, [x.size(2) * 2, x.size(3) * 2])\n    x = " +
                conv3x3(block + ".upsamplers.0.conv", in, in) + "\n";
      }
    }
    return define_forward(body + head("decoder", in, 3) + "    return x\n");
  }

 private:
  int levels() const { return static_cast<int>(config_.channels.size()); }
  int channels(int level) const { return config_.channels[static_cast<std::size_t>(level)]; }

  Composer::Program define_forward(const std::string& body) {
    composer_.define("", "def forward(self, x: Tensor) -> Tensor:\n" + body);
    return composer_.finish();
  }

  std::string conv3x3(const std::string& path, int in, int out) {
    return composer_.conv2d("", path, "x", in, out, 3, 1, 1);
  }

  std::string resnets(const std::string& block, int count, int in, int out) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      lines += resnet(block + ".resnets." + std::to_string(i), i == 0 ? in : out, out);
    }
    return lines;
  }

  std::string resnet(const std::string& scope, int in, int out) {
    const auto norm = [&](const char* path, const char* x, int width) {
      return composer_.group_norm(scope, path, x, config_.norm_groups, width, kNormEpsilon);
    };
    composer_.define(
        scope,
        substitute(
            R"(
def forward(self, x: Tensor) -> Tensor:
    h = torch.silu($NORM1)
    h = $CONV1
    h = torch.silu($NORM2)
    h = $CONV2
    return $SHORTCUT + h
)",
            {{"$NORM1", norm("norm1", "x", in)},
             {"$CONV1", composer_.conv2d(scope, "conv1", "h", in, out, 3, 1, 1)},
             {"$NORM2", norm("norm2", "h", out)},
             {"$CONV2", composer_.conv2d(scope, "conv2", "h", out, out, 3, 1, 1)},
             {"$SHORTCUT",
              in == out ? "x" : composer_.conv2d(scope, "conv_shortcut", "x", in, out, 1)}}));
    return "    x = " + Composer::call(scope, "x") + "\n";
  }

  std::string attention(const std::string& scope, int width) {
    const auto linear = [&](const char* path, const char* x) {
      return composer_.linear(scope, path, x, width, width);
    };
    composer_.define(
        scope,
        substitute(R"(
def forward(self, x: Tensor) -> Tensor:
    b, c, height, width = x.size()
    h = torch.transpose(torch.view($NORM, [b, c, height * width]), 1, 2)
    q = torch.unsqueeze($Q, 1)
    k = torch.unsqueeze($K, 1)
    v = torch.unsqueeze($V, 1)
    o = torch.squeeze(torch.scaled_dot_product_attention(q, k, v), 1)
    o = $OUT
    return x + torch.reshape(torch.transpose(o, 1, 2), [b, c, height, width])
)",
                   {{"$NORM", composer_.group_norm(scope, "group_norm", "x", config_.norm_groups,
                                                   width, kNormEpsilon)},
                    {"$Q", linear("to_q", "h")},
                    {"$K", linear("to_k", "h")},
                    {"$V", linear("to_v", "h")},
                    {"$OUT", linear("to_out.0", "o")}}));
    return "    x = " + Composer::call(scope, "x") + "\n";
  }

  std::string middle(const std::string& block, int width) {
    std::string lines = resnet(block + ".resnets.0", width, width);
    if (config_.middle_attention) lines += attention(block + ".attentions.0", width);
    return lines + resnet(block + ".resnets.1", width, width);
  }

  std::string head(const std::string& half, int in, int out) {
    return "    x = torch.silu(" +
           composer_.group_norm("", half + ".conv_norm_out", "x", config_.norm_groups, in,
                                kNormEpsilon) +
           ")\n    x = " + conv3x3(half + ".conv_out", in, out) + "\n";
  }

  const VaeConfig& config_;
  Composer composer_;
};

}  // namespace

Composer::Program compose_vae_encoder(const VaeConfig& config, const TensorMap& weights,
                                      const std::string& weights_file) {
  return VaeComposer("VaeEncoder", config, weights, weights_file).compose_encoder();
}

Composer::Program compose_vae_decoder(const VaeConfig& config, const TensorMap& weights,
                                      const std::string& weights_file) {
  return VaeComposer("VaeDecoder", config, weights, weights_file).compose_decoder();
}

}  // namespace sdx
