#include "sdx/training/loaded_model.h"

#include "sdx/util/error.h"

namespace sdx {

namespace {

/// An inpainting model would have to learn a word from pictures of which it is shown nothing.
const Bundle& require_trainable(const Bundle& bundle) {
  if (!bundle.info().inpainting) return bundle;
  throw UsageError(
      "`model` " + bundle.info().name +
      ": an inpainting model cannot learn embeddings; train with the model that it was "
      "made from, whose embeddings it understands");
}

}  // namespace

LoadedModel::LoadedModel(const Bundle& used, const ComputeTarget& where,
                         const std::filesystem::path& face_network)
    : bundle(require_trainable(used)),
      target(where),
      tokenizer(bundle.load_tokenizer()),
      text_encoders(bundle, where.device),
      unet(bundle, where),
      identities(Identities::load_installed(bundle, where.device, face_network)),
      generator(bundle, where, *tokenizer, text_encoders, unet) {}

}  // namespace sdx
