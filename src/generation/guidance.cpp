#include "sdx/generation/guidance.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "generation/tile.h"
#include "sdx/device/transfer.h"
#include "sdx/prompt/prompt.h"

namespace sdx {

namespace {

at::Tensor deviation(const at::Tensor& x) { return x.flatten(1).std(1).view({-1, 1, 1, 1}); }

bool attracts(const PromptPart& part) { return part.weight > 0; }

/// At least one, unless guidance is off.
/// What a model is told of an image's place: what the settings say, else the whole image.
ImagePlace make_place(const ImageSettings& settings, const ImageSize& size) {
  ImagePlace place = settings.place;
  if (place.original == ImageSize{}) place.original = size;
  if (place.target == ImageSize{}) place.target = size;
  return place;
}

int guided_steps(double share, int steps) {
  if (share <= 0) return 0;
  return std::max(static_cast<int>(std::lround(share * steps)), 1);
}

}  // namespace

const Conditioning& ContextCache::conditioning(const PromptText& prompt, int clip_skip,
                                               const ImagePlace& place) {
  const ImagePlace told = encoders_.has_size_ids() ? place : ImagePlace{};
  const auto key = std::make_tuple(prompt.text, prompt.grammar, clip_skip, told);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  return known_
      .emplace(key, encode_prompts({tokenize_prompt(prompt, tokenizer_, embeddings_)}, tokenizer_,
                                   embeddings_, encoders_, told, clip_skip - 1))
      .first->second;
}

const Conditioning& ContextCache::nothing(const ImagePlace& place) {
  const auto known = nothing_.find(place);
  if (known != nothing_.end()) return known->second;
  Conditioning zeros = conditioning({}, 1, place);
  zeros.context = at::zeros_like(zeros.context);
  if (zeros.pooled.defined()) zeros.pooled = at::zeros_like(zeros.pooled);
  return nothing_.emplace(place, std::move(zeros)).first->second;
}

std::shared_ptr<const std::vector<PromptPart>> ContextCache::parts(const std::string& text,
                                                                   Grammar grammar, PromptRole role,
                                                                   const PromptSteps& steps) const {
  return prompts_.parts(text, grammar, role, steps, embeddings_);
}

Guidance::Guidance(const std::vector<ImageRequest>& requests, const PromptSteps& steps,
                   int first_step, const ImageSize& size, const UNet& unet, ContextCache& contexts,
                   at::Tensor beside)
    : settings_(requests.front().settings),
      place_(make_place(settings_, size)),
      zeroes_empty_negative_(
          settings_.empty_negative == EmptyNegative::kZeros ||
          (settings_.empty_negative == EmptyNegative::kAuto && contexts.zeroes_empty_negative())),
      unet_(unet, settings_.feature_interval),
      beside_(std::move(beside)),
      contexts_(contexts) {
  bool is_composed = false;
  bool all_attract = true;
  for (const ImageRequest& request : requests) {
    const auto split_parts = [&](const std::string& text, PromptRole role) {
      return contexts.parts(text, settings_.grammar, role, steps);
    };
    parts_.push_back(split_parts(request.prompt, PromptRole::kPositive));
    negatives_.push_back(split_parts(request.negative_prompt, PromptRole::kNegative));
    const std::vector<PromptPart>& parts = *parts_.back();
    is_composed = is_composed || parts.size() > 1 || parts.front().weight != 1;
    all_attract = all_attract && std::ranges::any_of(parts, attracts);
  }
  needs_guidance_ = settings_.guidance_scale != 1 || is_composed;
  guided_steps_ = all_attract ? guided_steps(settings_.guidance_end, steps.steps) - first_step
                              : std::numeric_limits<int>::max();
}

bool Guidance::is_guided(int step) const { return needs_guidance_ && step < guided_steps_; }

const Conditioning& Guidance::conditioning(const PromptPart& part, int step) {
  return contexts_.conditioning(text_at(part, step), settings_.clip_skip, place_);
}

const Conditioning& Guidance::negative_conditioning(std::size_t image, int step) {
  const PromptPart& part = negatives_[image]->front();
  const bool is_empty = text_at(part, step).text.find_first_not_of(' ') == std::string::npos;
  return is_empty && zeroes_empty_negative_ ? contexts_.nothing(place_) : conditioning(part, step);
}

std::vector<Guidance::Row> Guidance::unconditional_rows(int step) {
  std::vector<Row> rows;
  for (std::size_t i = 0; is_guided(step) && i < negatives_.size(); ++i) {
    rows.push_back({static_cast<std::int64_t>(i), 0, negative_conditioning(i, step)});
  }
  return rows;
}

std::vector<Guidance::Row> Guidance::conditional_rows(int step) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    for (const PromptPart& part : *parts_[i]) {
      if (!is_guided(step) && !attracts(part)) continue;
      rows.push_back({static_cast<std::int64_t>(i), part.weight, conditioning(part, step)});
    }
  }
  return rows;
}

std::vector<at::Tensor> Guidance::outputs(const std::vector<Row>& rows, const at::Tensor& sample,
                                          double timestep) {
  // Contexts of one length go through the UNet together.
  std::map<std::int64_t, std::vector<std::size_t>> by_length;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    by_length[rows[i].conditioning.positions()].push_back(i);
  }
  std::vector<at::Tensor> outputs(rows.size());
  for (const auto& [length, members] : by_length) {
    std::vector<std::int64_t> images;
    std::vector<Conditioning> conditionings;
    for (const std::size_t i : members) {
      images.push_back(rows[i].image);
      conditionings.push_back(rows[i].conditioning);
    }
    const at::Tensor inputs =
        sample.index_select(0, to_device(at::tensor(images, at::kLong), sample.device()));
    const at::Tensor timesteps = at::full({inputs.size(0)}, timestep, at::kFloat);
    const at::Tensor output =
        unet_.forward(inputs, timesteps, Conditioning::concatenate(conditionings));
    for (std::size_t k = 0; k < members.size(); ++k) {
      outputs[members[k]] = output.narrow(0, static_cast<std::int64_t>(k), 1);
    }
  }
  return outputs;
}

std::vector<at::Tensor> Guidance::guided(const std::vector<Row>& rows,
                                         const std::vector<at::Tensor>& outputs) const {
  const std::size_t images = negatives_.size();
  std::vector<at::Tensor> directions(images);
  for (std::size_t k = images; k < rows.size(); ++k) {
    const auto image = static_cast<std::size_t>(rows[k].image);
    const at::Tensor direction = (outputs[k] - outputs[image]) * rows[k].weight;
    at::Tensor& sum = directions[image];
    sum = sum.defined() ? sum + direction : direction;
  }
  std::vector<at::Tensor> guided;
  for (std::size_t i = 0; i < images; ++i) {
    guided.push_back(outputs[i] + directions[i] * settings_.guidance_scale);
    if (settings_.guidance_rescale > 0) {
      const at::Tensor conditional = outputs[i] + directions[i];
      const at::Tensor rescaled = guided[i] * (deviation(conditional) / deviation(guided[i]));
      guided[i] = guided[i] + (rescaled - guided[i]) * settings_.guidance_rescale;
    }
  }
  return guided;
}

std::vector<at::Tensor> Guidance::unguided(const std::vector<Row>& rows,
                                           const std::vector<at::Tensor>& outputs) const {
  std::vector<double> weights(parts_.size());
  for (const Row& row : rows) weights[static_cast<std::size_t>(row.image)] += row.weight;
  std::vector<at::Tensor> means(parts_.size());
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const auto image = static_cast<std::size_t>(rows[k].image);
    const double share = rows[k].weight / weights[image];
    const at::Tensor part = share == 1 ? outputs[k] : outputs[k] * share;
    at::Tensor& mean = means[image];
    mean = mean.defined() ? mean + part : part;
  }
  return means;
}

at::Tensor Guidance::predict(const at::Tensor& sample, double timestep, int step) {
  std::vector<Row> rows = unconditional_rows(step);
  for (Row& row : conditional_rows(step)) rows.push_back(std::move(row));

  at::Tensor input = sample;
  if (beside_.defined()) {
    input = at::cat({sample, beside_.to(sample.device()).expand({sample.size(0), -1, -1, -1})}, 1);
  }
  std::vector<std::int64_t> shift = {0, 0};
  if (settings_.tile) {
    shift = tile_shift(step, sample);
    input = input.roll(shift, {2, 3});
  }
  std::vector<Conditioning> conditionings;
  for (const Row& row : rows) conditionings.push_back(row.conditioning);
  unet_.begin(conditionings, shift);
  const std::vector<at::Tensor> output = outputs(rows, input, timestep);

  const at::Tensor result =
      at::cat(is_guided(step) ? guided(rows, output) : unguided(rows, output));
  return settings_.tile ? result.roll({-shift[0], -shift[1]}, {2, 3}) : result;
}

}  // namespace sdx
