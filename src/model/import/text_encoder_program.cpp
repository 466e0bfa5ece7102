#include "model/import/programs.h"

namespace sdx {

namespace {

std::string layer_path(int index) { return "encoder.layers." + std::to_string(index); }

void compose_layer(Composer& composer, const TextEncoderConfig& config, const std::string& scope) {
  const int width = config.width;
  composer.require_divisible(scope, "channels", width, "heads", config.heads);
  const auto linear = [&](const char* path, const char* x, int in, int out) {
    return composer.linear(scope, path, x, in, out);
  };
  const auto norm = [&](const char* path) {
    return composer.layer_norm(scope, path, "x", width, config.norm_epsilon);
  };
  composer.define(
      scope, substitute(R"(
def forward(self, x: Tensor) -> Tensor:
    b, n, d = x.size()
    h = $NORM1
    q = torch.transpose(torch.view($Q, [b, n, $HEADS, -1]), 1, 2)
    k = torch.transpose(torch.view($K, [b, n, $HEADS, -1]), 1, 2)
    v = torch.transpose(torch.view($V, [b, n, $HEADS, -1]), 1, 2)
    o = torch.scaled_dot_product_attention(q, k, v, is_causal=True)
    o = torch.reshape(torch.transpose(o, 1, 2), [b, n, d])
    x = x + $OUT
    h = $NORM2
    h = $FC1
    h = $ACTIVATION
    return x + $FC2
)",
                        {{"$NORM1", norm("layer_norm1")},
                         {"$NORM2", norm("layer_norm2")},
                         {"$Q", linear("self_attn.q_proj", "h", width, width)},
                         {"$K", linear("self_attn.k_proj", "h", width, width)},
                         {"$V", linear("self_attn.v_proj", "h", width, width)},
                         {"$OUT", linear("self_attn.out_proj", "o", width, width)},
                         {"$FC1", linear("mlp.fc1", "h", width, config.inner_width)},
                         {"$FC2", linear("mlp.fc2", "h", config.inner_width, width)},
                         {"$ACTIVATION",
                          config.quick_gelu ? "h * torch.sigmoid(1.702 * h)" : "torch.gelu(h)"},
                         {"$HEADS", std::to_string(config.heads)}}));
}

/// All layers, of which those from `count` on are left out.
void compose_encode(Composer& composer, const TextEncoderConfig& config,
                    const std::string& positions, const std::string& norm) {
  std::string layers;
  for (int i = 0; i < config.layers; ++i) {
    layers += "    if count > " + std::to_string(i) +
              ":\n        x = " + Composer::call(layer_path(i), "x") + "\n";
  }
  composer.define("", substitute(R"(
def encode(self, embeddings: Tensor, skip_last: int) -> Tensor:
    count = $LAYERS - skip_last
    x = embeddings + $POSITIONS[:embeddings.size(1)]
$BODY    return $RESULT
)",
                                 {{"$LAYERS", std::to_string(config.layers)},
                                  {"$POSITIONS", positions},
                                  {"$BODY", layers},
                                  {"$RESULT", config.norms_output ? norm : "x"}}));
}

/// All layers; what the UNet attends to is taken behind the first `count` of them.
void compose_encode_pooled(Composer& composer, const TextEncoderConfig& config,
                           const std::string& positions, const std::string& norm) {
  std::string layers;
  for (int i = 0; i < config.layers; ++i) {
    layers += "    if count == " + std::to_string(i) + ":\n        output = x\n" +
              "    x = " + Composer::call(layer_path(i), "x") + "\n";
  }
  composer.define(
      "", substitute(R"(
def encode_pooled(self, embeddings: Tensor, skip_last: int, ends: Tensor) -> List[Tensor]:
    count = $LAYERS - skip_last
    x = embeddings + $POSITIONS[:embeddings.size(1)]
    output = x
$BODY    x = $NORM
    rows = torch.arange(x.size(0), dtype=4, device=x.device)
    x = x[rows, ends]
    return [output, $PROJECTION]
)",
                     {{"$LAYERS", std::to_string(config.read_layers())},
                      {"$POSITIONS", positions},
                      {"$BODY", layers},
                      {"$NORM", norm},
                      {"$PROJECTION", composer.linear("", "text_projection", "x", config.width,
                                                      config.pooled_width, /*bias=*/false)}}));
}

}  // namespace

Composer::Program compose_text_encoder(const TextEncoderConfig& config, const TensorMap& weights,
                                       const std::string& weights_file) {
  Composer composer("TextEncoder", weights, weights_file);
  for (int i = 0; i < config.layers; ++i) compose_layer(composer, config, layer_path(i));
  composer.define(
      "", "def embed(self, ids: Tensor) -> Tensor:\n    return torch.embedding(" +
              composer.table("", "embeddings.token_embedding", config.vocabulary, config.width) +
              ", ids)\n");
  const std::string positions =
      composer.table("", "embeddings.position_embedding", config.positions, config.width);
  const bool has_norm = config.norms_output || config.pooled_width > 0;
  const std::string norm =
      has_norm ? composer.layer_norm("", "final_layer_norm", "x", config.width, config.norm_epsilon)
               : "";
  if (config.pooled_width > 0) {
    compose_encode_pooled(composer, config, positions, norm);
  } else {
    compose_encode(composer, config, positions, norm);
  }
  return composer.finish();
}

}  // namespace sdx
