#include "sdx/generation/guidance.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "sdx/prompt/prompt.h"
#include "tile.h"

namespace sdx {

namespace {

at::Tensor deviation(const at::Tensor& x) { return x.flatten(1).std(1).view({-1, 1, 1, 1}); }

}  // namespace

const at::Tensor& ContextCache::context(const std::string& text, Grammar grammar, int clip_skip) {
  const auto key = std::make_tuple(text, grammar, clip_skip);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  const at::Tensor encoded =
      encode_prompts({tokenize_prompt(text, tokenizer_, embeddings_, grammar)}, tokenizer_,
                     embeddings_, encoder_, clip_skip - 1);
  return known_.emplace(key, encoded.squeeze(0)).first->second;
}

Guidance::Guidance(const std::vector<ImageRequest>& requests, const PromptSteps& steps,
                   const UNet& unet, ContextCache& contexts)
    : settings_(requests.front().settings), unet_(unet), contexts_(contexts) {
  bool is_composed = false;
  for (const ImageRequest& request : requests) {
    parts_.push_back(parse_prompt(request.prompt, settings_.grammar, steps));
    negatives_.push_back(parse_negative_prompt(request.negative_prompt, settings_.grammar, steps));
    is_composed = is_composed || parts_.back().size() > 1 || parts_.back().front().weight != 1;
  }
  is_guided_ = settings_.guidance_scale != 1 || is_composed;
}

std::vector<Guidance::Row> Guidance::unconditional_rows(int step) {
  std::vector<Row> rows;
  for (std::size_t i = 0; is_guided_ && i < negatives_.size(); ++i) {
    rows.push_back(
        {static_cast<std::int64_t>(i), 0,
         contexts_.context(text_at(negatives_[i], step), settings_.grammar, settings_.clip_skip)});
  }
  return rows;
}

std::vector<Guidance::Row> Guidance::conditional_rows(int step) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    for (const PromptPart& part : parts_[i]) {
      rows.push_back(
          {static_cast<std::int64_t>(i), part.weight,
           contexts_.context(text_at(part, step), settings_.grammar, settings_.clip_skip)});
    }
  }
  return rows;
}

std::vector<at::Tensor> Guidance::outputs(const std::vector<Row>& rows, const at::Tensor& sample,
                                          double timestep) const {
  // Contexts of one length go through the UNet together.
  std::map<std::int64_t, std::vector<std::size_t>> by_length;
  for (std::size_t i = 0; i < rows.size(); ++i) by_length[rows[i].context.size(0)].push_back(i);
  std::vector<at::Tensor> outputs(rows.size());
  for (const auto& [length, members] : by_length) {
    std::vector<std::int64_t> pictures;
    std::vector<at::Tensor> contexts;
    for (const std::size_t i : members) {
      pictures.push_back(rows[i].picture);
      contexts.push_back(rows[i].context);
    }
    const at::Tensor inputs =
        sample.index_select(0, at::tensor(pictures, at::kLong).to(sample.device()));
    const at::Tensor timesteps = at::full({inputs.size(0)}, timestep, at::kFloat);
    const at::Tensor output = unet_.forward(inputs, timesteps, at::stack(contexts));
    for (std::size_t k = 0; k < members.size(); ++k) {
      outputs[members[k]] = output.narrow(0, static_cast<std::int64_t>(k), 1);
    }
  }
  return outputs;
}

at::Tensor Guidance::predict(const at::Tensor& sample, double timestep, int step) {
  std::vector<Row> rows = unconditional_rows(step);
  const std::size_t unconditional_count = rows.size();
  for (Row& row : conditional_rows(step)) rows.push_back(std::move(row));

  at::Tensor input = sample;
  std::vector<std::int64_t> shift = {0, 0};
  if (settings_.tile) {
    shift = tile_shift(step, sample);
    input = sample.roll(shift, {2, 3});
  }
  const std::vector<at::Tensor> output = outputs(rows, input, timestep);

  std::vector<at::Tensor> guided;
  if (!is_guided_) {
    guided = output;
  } else {
    std::vector<at::Tensor> directions(unconditional_count);
    for (std::size_t k = unconditional_count; k < rows.size(); ++k) {
      const auto picture = static_cast<std::size_t>(rows[k].picture);
      const at::Tensor direction = (output[k] - output[picture]) * rows[k].weight;
      at::Tensor& sum = directions[picture];
      sum = sum.defined() ? sum + direction : direction;
    }
    for (std::size_t i = 0; i < unconditional_count; ++i) {
      guided.push_back(output[i] + directions[i] * settings_.guidance_scale);
      if (settings_.guidance_rescale > 0) {
        const at::Tensor conditional = output[i] + directions[i];
        const at::Tensor rescaled = guided[i] * (deviation(conditional) / deviation(guided[i]));
        guided[i] = guided[i] + (rescaled - guided[i]) * settings_.guidance_rescale;
      }
    }
  }
  const at::Tensor result = at::cat(guided);
  return settings_.tile ? result.roll({-shift[0], -shift[1]}, {2, 3}) : result;
}

}  // namespace sdx
