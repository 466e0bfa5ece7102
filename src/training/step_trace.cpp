#include "training/step_trace.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include "sdx/prompt/prompt.h"

namespace sdx {

StepTrace trace_step(const TrainingBatch& batch, const EmbeddingVectors& vectors,
                     const LossAndGradient& result, const Tokenizer& tokenizer) {
  const auto max_length = static_cast<std::int64_t>(tokenizer.special_tokens().max_length);
  const PromptChunk empty = tokenize_prompt("", tokenizer, {}).chunks.front();
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> splices;
  for (std::size_t row = 0; row < batch.prompts.size(); ++row) {
    const std::vector<PromptChunk>& chunks = batch.prompts[row]->chunks;
    for (std::size_t i = 0; i < chunk_count(batch); ++i) {
      const PromptChunk& chunk = i < chunks.size() ? chunks[i] : empty;
      ids.insert(ids.end(), chunk.ids.begin(), chunk.ids.end());
      for (const Splice& splice : chunk.splices) {
        splices.insert(splices.end(),
                       {static_cast<std::int64_t>(row),
                        static_cast<std::int64_t>(i) * max_length + splice.position, splice.row});
      }
    }
  }
  StepTrace trace;
  trace.ids =
      at::tensor(ids, at::kLong).reshape({static_cast<std::int64_t>(batch.prompts.size()), -1});
  trace.splices = at::tensor(splices, at::kLong).reshape({-1, 3});
  trace.vectors = vectors.clone();
  trace.latents = batch.latents;
  trace.noise = batch.noise;
  trace.noisy_latents = batch.noisy_latents;
  trace.timesteps = batch.timesteps;
  trace.size_ids = batch.size_ids;
  trace.loss = at::scalar_tensor(result.loss, at::kFloat);
  trace.gradient = result.gradient;
  return trace;
}

}  // namespace sdx
