#include "sdx/training/loaded_model.h"

namespace sdx {

LoadedModel::LoadedModel(const Bundle& used, const ComputeTarget& where,
                         const std::filesystem::path& face_network)
    : bundle(used),
      target(where),
      tokenizer(bundle.load_tokenizer()),
      text_encoders(bundle, where.device),
      unet(bundle, where),
      identities(Identities::load_installed(bundle, where.device, face_network)),
      generator(bundle, where, *tokenizer, text_encoders, unet) {}

}  // namespace sdx
