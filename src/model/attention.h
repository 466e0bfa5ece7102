#pragma once

#include <ATen/core/Tensor.h>

namespace sdx {

/// Whether attention() can run: a processor of the x86-64 family with AVX-512 and its bfloat16
/// instructions (Zen 4, Sapphire Rapids and newer).
bool has_bfloat16_attention();

/// softmax(Q Kᵀ / √d) V in bfloat16 on the CPU, without gradient. Products are summed, and the
/// softmax is computed, in float32; only the softmax's result is rounded before the second product.
/// libtorch's own kernel computes bfloat16 no faster than float32.
/// In TorchScript this is the operator kAttentionOperator.
/// @param query [B,H,N,d]  @param key, value [B,H,S,d], all bfloat16.
/// @return [B,H,N,d], laid out in memory as [B,N,H,d], which is what the next layer wants.
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

extern const char* const kAttentionOperator;

}  // namespace sdx
