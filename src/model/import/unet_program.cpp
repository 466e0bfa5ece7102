#include "model/import/programs.h"

namespace sdx {

namespace {

/// The norm inside diffusers' Transformer2DModel; not in any config.
constexpr double kTransformerNormEpsilon = 1e-6;
constexpr double kLayerNormEpsilon = 1e-5;

/// Of the skips that "entry" makes and "exit" takes: what is computed anew where the deep features
/// of an earlier step are used again. One layer on the way down and two on the way up are 22 % of
/// the work of Stable Diffusion 1.5 at 512 × 512.
constexpr std::size_t kOuterSkips = 2;

class UNetComposer {
 public:
  UNetComposer(const UNetConfig& config, const TensorMap& weights, const std::string& weights_file)
      : config_(config), composer_("UNet", weights, weights_file) {}

  Composer::Program compose() {
    define_time();
    define_down();
    define_mid();
    define_up();
    define_head();
    define_forward();
    return composer_.finish();
  }

 private:
  int levels() const { return static_cast<int>(config_.channels.size()); }
  int channels(int level) const { return config_.channels[static_cast<std::size_t>(level)]; }
  int heads(int level) const { return config_.level_heads[static_cast<std::size_t>(level)]; }
  bool has_more() const { return config_.pooled_width > 0; }
  int time_width() const { return 4 * channels(0); }

  /// What a method takes behind the context, and how it hands it on.
  std::string more_parameters() const {
    return has_more() ? ", pooled: Tensor, size_ids: Tensor" : "";
  }
  std::string more_arguments() const { return has_more() ? ", pooled, size_ids" : ""; }

  /// The last lines of "time": the embedding alone, or with what is made of the pooled vector and
  /// of the size ids, each as sines and cosines, added to it.
  std::string finish_time(const std::string& embedding) {
    if (!has_more()) return "    return " + embedding + "\n";
    const int width = config_.pooled_width + kSizeIds * kSizeIdWidth;
    return substitute(
        R"(    e = $EMBEDDING
    g = torch.exp(torch.arange($HALF, dtype=6, device=like.device) * (-9.210340371976184 / $HALF.0))
    a = torch.unsqueeze(size_ids, 2).float() * torch.reshape(g, [1, 1, -1])
    a = torch.flatten(torch.cat([torch.cos(a), torch.sin(a)], 2), 1)
    a = torch.cat([pooled.to(like.dtype), a.to(like.dtype)], 1)
    a = torch.silu($LINEAR1)
    return e + $LINEAR2
)",
        {{"$EMBEDDING", embedding},
         {"$HALF", std::to_string(kSizeIdWidth / 2)},
         {"$LINEAR1", composer_.linear("", "add_embedding.linear_1", "a", width, time_width())},
         {"$LINEAR2",
          composer_.linear("", "add_embedding.linear_2", "a", time_width(), time_width())}});
  }

  void define_time() {
    composer_.define(
        "", substitute(R"(
def time(self, timestep: Tensor, like: Tensor$MORE) -> Tensor:
    f = torch.exp(torch.arange($HALF, dtype=6, device=like.device) * (-9.210340371976184 / $HALF.0))
    e = torch.unsqueeze(timestep, 1).float() * torch.unsqueeze(f, 0)
    e = torch.cat([torch.cos(e), torch.sin(e)], 1).to(like.dtype)
    e = torch.silu($LINEAR1)
$REST)",
                       {{"$HALF", std::to_string(channels(0) / 2)},
                        {"$MORE", more_parameters()},
                        {"$LINEAR1", composer_.linear("", "time_embedding.linear_1", "e",
                                                      channels(0), time_width())},
                        {"$REST", finish_time(composer_.linear("", "time_embedding.linear_2", "e",
                                                               time_width(), time_width()))}}));
  }

  void define_down() {
    std::string entry =
        "    x = " +
        composer_.conv2d("", "conv_in", "sample", config_.in_channels, channels(0), 3, 1, 1) +
        "\n    skips = [x]\n";
    std::string body = "    skips = self.entry(sample, emb, context)\n    x = skips[-1]\n";
    skip_channels_ = {channels(0)};
    int in = channels(0);
    for (int level = 0; level < levels(); ++level) {
      const std::string block = "down_blocks." + std::to_string(level);
      for (int layer = 0; layer < config_.layers_per_level; ++layer) {
        std::string& lines = level == 0 && layer == 0 ? entry : body;
        lines += resnet_and_attention(block, layer, level, in, config_.down_depths, "x");
        lines += "    skips.append(x)\n";
        in = channels(level);
        skip_channels_.push_back(in);
      }
      if (level + 1 < levels()) {
        body += "    x = " +
                composer_.conv2d("", block + ".downsamplers.0.conv", "x", in, in, 3, 2, 1) +
                "\n    skips.append(x)\n";
        skip_channels_.push_back(in);
      }
    }
    const auto define = [&](const std::string& method, const std::string& lines) {
      composer_.define("", "def " + method +
                               "(self, sample: Tensor, emb: Tensor, context: Tensor) -> "
                               "List[Tensor]:\n" +
                               lines + "    return skips\n");
    };
    define("entry", entry);
    define("down", body);
  }

  void define_mid() {
    const int level = levels() - 1;
    const int width = channels(level);
    std::string lines;
    std::string made = "x";
    const auto add = [&](std::string call) {
      if (made != "x") lines += "    x = " + made + "\n";
      made = std::move(call);
    };
    const auto add_resnet = [&](const char* path) {
      define_resnet(path, width, width);
      add(Composer::call(path, "x, emb"));
    };
    if (config_.middle_depth) add_resnet("mid_block.resnets.0");
    if (config_.middle_depth.value_or(0) > 0) {
      define_transformer("mid_block.attentions.0", width, heads(level), *config_.middle_depth);
      add(Composer::call("mid_block.attentions.0", "x, context"));
      add_resnet("mid_block.resnets.1");
    }
    composer_.define("", "def mid(self, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:\n" +
                             lines + "    return " + made + "\n");
  }

  void define_up() {
    int in = channels(levels() - 1);
    for (int block_index = 0; block_index < levels(); ++block_index) {
      const int level = levels() - 1 - block_index;
      const std::string block = "up_blocks." + std::to_string(block_index);
      std::string inner;
      std::string outer;
      for (int layer = 0; layer <= config_.layers_per_level; ++layer) {
        const int skip = skip_channels_.back();
        skip_channels_.pop_back();
        const std::size_t place = skip_channels_.size();
        const std::string joined = "torch.cat([x, skips[" + std::to_string(place) + "]], 1)";
        std::string& lines = place < kOuterSkips ? outer : inner;
        lines += resnet_and_attention(block, layer, level, in + skip, config_.up_depths, joined);
        in = channels(level);
      }
      if (level > 0) {
        // The next skip tells the size, so sides that are not a multiple of the depth work too.
        const std::string next = "skips[" + std::to_string(skip_channels_.size() - 1) + "]";
        inner +=
            "    x = torch.upsample_nearest2d(x, [" + next + ".size(2), " + next + ".size(3)])\n";
        inner +=
            "    x = " + composer_.conv2d("", block + ".upsamplers.0.conv", "x", in, in, 3, 1, 1) +
            "\n";
      } else {
        define_up_method("inner", inner);
        define_up_method("exit", outer);
        inner = up_line("inner") + up_line("exit");
      }
      define_up_method("up_" + std::to_string(block_index), inner);
    }
  }

  void define_up_method(const std::string& method, const std::string& lines) {
    composer_.define("", "def " + method +
                             "(self, x: Tensor, skips: List[Tensor], emb: Tensor, context: Tensor) "
                             "-> Tensor:\n" +
                             lines + "    return x\n");
  }

  static std::string up_line(const std::string& method) {
    return "    x = self." + method + "(x, skips, emb, context)\n";
  }

  void define_head() {
    composer_.define(
        "", "def head(self, x: Tensor) -> Tensor:\n    x = torch.silu(" +
                composer_.group_norm("", "conv_norm_out", "x", config_.norm_groups, channels(0),
                                     config_.norm_epsilon) +
                ")\n    return " +
                composer_.conv2d("", "conv_out", "x", channels(0), config_.out_channels, 3, 1, 1) +
                "\n");
  }

  /// The whole pass; the whole pass that also gives what "inner" made; and the pass around that.
  void define_forward() {
    std::string deep =
        "    skips = self.down(sample, emb, context)\n"
        "    x = self.mid(skips[-1], emb, context)\n";
    const int last = levels() - 1;
    for (int block = 0; block < last; ++block) deep += up_line("up_" + std::to_string(block));
    const auto define = [&](const std::string& method, const std::string& features,
                            const std::string& result, const std::string& lines) {
      composer_.define(
          "", "def " + method + "(self, sample: Tensor, timestep: Tensor, context: Tensor" +
                  more_parameters() + features + ") -> " + result +
                  ":\n    emb = self.time(timestep, sample" + more_arguments() + ")\n" + lines);
    };
    define("forward", "", "Tensor",
           deep + up_line("up_" + std::to_string(last)) + "    return self.head(x)\n");
    define("forward_keeping", "", "List[Tensor]",
           deep + up_line("inner") + "    features = x\n" + up_line("exit") +
               "    return [self.head(x), features]\n");
    define("forward_reusing", ", features: Tensor", "Tensor",
           "    skips = self.entry(sample, emb, context)\n    x = features\n" + up_line("exit") +
               "    return self.head(x)\n");
  }

  /// Defines a layer of a level; returns the lines that run it on the expression `x`.
  /// @param depths of the transformers, by level and layer
  std::string resnet_and_attention(const std::string& block, int layer, int level, int in,
                                   const std::vector<std::vector<int>>& depths,
                                   const std::string& x) {
    const int out = channels(level);
    const int depth =
        depths.at(static_cast<std::size_t>(level)).at(static_cast<std::size_t>(layer));
    const std::string resnet = block + ".resnets." + std::to_string(layer);
    define_resnet(resnet, in, out);
    std::string lines = "    x = " + Composer::call(resnet, x + ", emb") + "\n";
    if (depth > 0) {
      const std::string transformer = block + ".attentions." + std::to_string(layer);
      define_transformer(transformer, out, heads(level), depth);
      lines += "    x = " + Composer::call(transformer, "x, context") + "\n";
    }
    return lines;
  }

  void define_resnet(const std::string& scope, int in, int out) {
    const auto norm = [&](const char* path, const char* x, int width) {
      return composer_.group_norm(scope, path, x, config_.norm_groups, width, config_.norm_epsilon);
    };
    composer_.define(
        scope,
        substitute(
            R"(
def forward(self, x: Tensor, emb: Tensor) -> Tensor:
    h = torch.silu($NORM1)
    h = $CONV1
    e = torch.silu(emb)
    e = $TIME
    h = h + torch.unsqueeze(torch.unsqueeze(e, -1), -1)
    h = torch.silu($NORM2)
    h = $CONV2
    return $SHORTCUT + h
)",
            {{"$NORM1", norm("norm1", "x", in)},
             {"$CONV1", composer_.conv2d(scope, "conv1", "h", in, out, 3, 1, 1)},
             {"$TIME", composer_.linear(scope, "time_emb_proj", "e", time_width(), out)},
             {"$NORM2", norm("norm2", "h", out)},
             {"$CONV2", composer_.conv2d(scope, "conv2", "h", out, out, 3, 1, 1)},
             {"$SHORTCUT",
              in == out ? "x" : composer_.conv2d(scope, "conv_shortcut", "x", in, out, 1)}}));
  }

  void define_attention(const std::string& scope, int width, int context_width, int heads) {
    composer_.require_divisible(scope, "channels", width, "heads", heads);
    composer_.define(
        scope,
        substitute(R"(
def forward(self, x: Tensor, context: Tensor) -> Tensor:
    b = x.size(0)
    n = x.size(1)
    s = context.size(1)
    q = torch.transpose(torch.view($Q, [b, n, $HEADS, -1]), 1, 2)
    k = torch.transpose(torch.view($K, [b, s, $HEADS, -1]), 1, 2)
    v = torch.transpose(torch.view($V, [b, s, $HEADS, -1]), 1, 2)
    o = torch.scaled_dot_product_attention(q, k, v)
    o = torch.reshape(torch.transpose(o, 1, 2), [b, n, -1])
    return $OUT
)",
                   {{"$Q", composer_.linear(scope, "to_q", "x", width, width, false)},
                    {"$K", composer_.linear(scope, "to_k", "context", context_width, width, false)},
                    {"$V", composer_.linear(scope, "to_v", "context", context_width, width, false)},
                    {"$OUT", composer_.linear(scope, "to_out.0", "o", width, width)},
                    {"$HEADS", std::to_string(heads)}}));
  }

  void define_transformer_block(const std::string& scope, int width, int heads) {
    define_attention(scope + ".attn1", width, width, heads);
    define_attention(scope + ".attn2", width, config_.context_width, heads);
    const auto norm = [&](const char* path) {
      return composer_.layer_norm(scope, path, "x", width, kLayerNormEpsilon);
    };
    composer_.define(
        scope, substitute(R"(
def forward(self, x: Tensor, context: Tensor) -> Tensor:
    h = $NORM1
    x = $SELF + x
    h = $NORM2
    x = $CROSS + x
    h = $NORM3
    a, gate = torch.chunk($PROJECTION, 2, -1)
    h = a * torch.gelu(gate)
    return $OUT + x
)",
                          {{"$NORM1", norm("norm1")},
                           {"$NORM2", norm("norm2")},
                           {"$NORM3", norm("norm3")},
                           {"$SELF", Composer::call("attn1", "h, h")},
                           {"$CROSS", Composer::call("attn2", "h, context")},
                           {"$PROJECTION",
                            composer_.linear(scope, "ff.net.0.proj", "h", width, 8 * width)},
                           {"$OUT", composer_.linear(scope, "ff.net.2", "h", 4 * width, width)}}));
  }

  void define_transformer(const std::string& scope, int width, int heads, int depth) {
    std::string blocks;
    for (int i = 0; i < depth; ++i) {
      const std::string block = "transformer_blocks." + std::to_string(i);
      define_transformer_block(join_path(scope, block), width, heads);
      blocks += "    h = " + Composer::call(block, "h, context") + "\n";
    }
    const auto project = [&](const char* path) {
      return config_.linear_projection ? composer_.linear(scope, path, "h", width, width)
                                       : composer_.conv2d(scope, path, "h", width, width, 1);
    };
    const std::string to_tokens =
        "    h = torch.reshape(torch.permute(h, [0, 2, 3, 1]), [b, height * width, c])\n";
    // Without contiguous() the convolutions that follow are up to 1.45 times slower.
    const std::string to_image =
        "    h = torch.contiguous(torch.permute(torch.view(h, [b, height, width, c]), [0, 3, 1, "
        "2]))\n";
    const std::string project_in = "    h = " + project("proj_in") + "\n";
    const std::string project_out = "    h = " + project("proj_out") + "\n";
    composer_.define(
        scope, substitute(R"(
def forward(self, x: Tensor, context: Tensor) -> Tensor:
    b, c, height, width = x.size()
    h = $NORM
$IN$BLOCKS$OUT    return h + x
)",
                          {{"$NORM", composer_.group_norm(scope, "norm", "x", config_.norm_groups,
                                                          width, kTransformerNormEpsilon)},
                           {"$IN", config_.linear_projection ? to_tokens + project_in
                                                             : project_in + to_tokens},
                           {"$BLOCKS", blocks},
                           {"$OUT", config_.linear_projection ? project_out + to_image
                                                              : to_image + project_out}}));
  }

  const UNetConfig& config_;
  Composer composer_;
  std::vector<int> skip_channels_;
};

}  // namespace

Composer::Program compose_unet(const UNetConfig& config, const TensorMap& weights,
                               const std::string& weights_file) {
  return UNetComposer(config, weights, weights_file).compose();
}

}  // namespace sdx
