#include "model/import/programs.h"

namespace sdx {

Composer::Program compose_identity(const IdentityConfig& config, const TensorMap& weights,
                                   const std::string& weights_file) {
  Composer composer("Identity", weights, weights_file);
  std::string layers;
  int in_channels = 3;
  int side_px = config.size_px / 2;
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    const int out_channels = config.channels[i];
    layers += "    x = torch.relu(" +
              composer.conv2d("", "layers." + std::to_string(i), "x", in_channels, out_channels,
                              /*kernel_px=*/3, /*stride=*/2, /*padding=*/1) +
              ")\n";
    in_channels = out_channels;
    side_px = (side_px + 1) / 2;
  }
  const int flat_width = in_channels * side_px * side_px;
  composer.define(
      "",
      substitute(R"(
def forward(self, image: Tensor) -> Tensor:
    x = torch.avg_pool2d(image, [2, 2])
$LAYERS    x = torch.flatten(x, 1)
    x = torch.relu($LAST)
    x = $HEAD
    return x / torch.sqrt(torch.sum(x * x, dim=1, keepdim=True))
)",
                 {{"$LAYERS", layers},
                  {"$LAST", composer.linear("", "last", "x", flat_width, config.hidden_width)},
                  {"$HEAD", composer.linear("", "head", "x", config.hidden_width, config.width)}}));
  return composer.finish();
}

}  // namespace sdx
