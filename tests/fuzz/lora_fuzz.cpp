// A LoRA file: what is read of it, and the difference that each of its small layers makes. The
// first letter chooses the file's ending.

#include "sdx/model/lora.h"

#include "fuzz/target.h"
#include "model/lora/lora_kinds.h"
#include "sdx/embedding/lora_words.h"

using namespace sdx;

SDX_FUZZ_TARGET(lora) {
  constexpr std::int64_t kMostValues = 4096;
  const bool is_torch = fuzz::take_letter(bytes) == 't';
  const auto file = fuzz::make_file(is_torch ? "style.pt" : "style.safetensors", bytes);
  const auto lora = read_lora(file);
  describe_made_for(*lora);
  for (const LoraLayer& layer : lora->layers) {
    const LoraKindRow& row = lora_kind_row(layer.kind);
    const MatrixSize size = row.find_size(layer);
    fits_weight(layer, {size.rows, size.columns}, -1);
    if (size.rows * size.columns <= kMostValues) row.compute(layer);
  }
  if (lora->has_words) read_lora_words(file);
}
