#pragma once

#include <torch/csrc/jit/api/module.h>

#include <filesystem>

#include "sdx/model/bundle.h"
#include "support/tiny_bundle.h"

namespace sdx::test {

inline void save_program(const std::filesystem::path& file, const char* source) {
  torch::jit::Module program("part");
  program.define(source);
  program.save(file.string());
}

/// A model with two text encoders, as SDXL has them, made of programs that say what they got.
/// The first encoder gives [id, 10 × id], the second [−id], and as its pooled vector 100 × the
/// position of the end minus the sum of its inputs. The second pads with 0. The UNet adds the means
/// of context and pooled vector, and a thousandth of the size ids' mean, to the sample.
/// @param positions of a chunk
inline Bundle save_two_encoders(const std::filesystem::path& folder, int positions) {
  save_program(folder / "text_encoder.ts",
               "def embed(self, ids: Tensor) -> Tensor:\n"
               "    x = torch.unsqueeze(ids, 2).float()\n"
               "    return torch.cat([x, x * 10], 2)\n"
               "def encode(self, embeddings: Tensor, skip_last: int) -> Tensor:\n"
               "    return embeddings + skip_last\n");
  save_program(folder / "text_encoder_2.ts",
               "def embed(self, ids: Tensor) -> Tensor:\n"
               "    return torch.unsqueeze(ids, 2).float() * -1\n"
               "def encode_pooled(self, embeddings: Tensor, skip_last: int, ends: Tensor) -> "
               "List[Tensor]:\n"
               "    pooled = torch.unsqueeze(ends, 1).float() * 100 - torch.sum(embeddings, [1])\n"
               "    return [embeddings + skip_last, pooled]\n");
  save_program(folder / "unet.ts",
               "def forward(self, sample: Tensor, timestep: Tensor, context: Tensor,\n"
               "            pooled: Tensor, size_ids: Tensor) -> Tensor:\n"
               "    means = torch.mean(context, [1, 2]) + torch.mean(pooled, [1])\n"
               "    means = means + torch.mean(size_ids, [1]) * 0.001\n"
               "    return sample + torch.reshape(means, [-1, 1, 1, 1])\n");
  BundleInfo info = tiny_bundle().info();
  info.text_encoders = {{"text_encoder", 2, 3}, {"text_encoder_2", 1, 5, 0}};
  info.size_ids = true;
  info.tokenizer.special_tokens.max_length = positions;
  write_bundle_info(folder, info);
  return Bundle::open(folder);
}

}  // namespace sdx::test
