#pragma once

#include <ATen/core/Tensor.h>

namespace sdx {

/// softmax(Q Kᵀ / √d) V in bfloat16 on the CPU, without gradient, by matrix products and softmax
/// over blocks of queries whose scores fit the processor's cache. libtorch's own kernel for the CPU
/// computes bfloat16 no faster than float32 (130 to 165 GFLOP/s on a Zen 4 whose matrix products
/// reach 440; this one 175 to 250, the more the wider the heads).
/// Scores are rounded to bfloat16 before the softmax, which itself computes in float32.
/// In TorchScript this is the operator kAttentionOperator.
/// @param query [B,H,N,d]  @param key, value [B,H,S,d]  @return [B,H,N,d], laid out as [B,N,H,d]
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

extern const char* const kAttentionOperator;

}  // namespace sdx
