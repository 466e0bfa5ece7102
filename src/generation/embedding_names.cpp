#include "sdx/generation/embedding_names.h"

#include "sdx/prompt/prompt.h"

namespace sdx {

std::vector<std::string> list_embedding_names(const ImageRequest& request,
                                              const EmbeddingSizes& known) {
  const FaceSettings& faces = request.settings.faces;
  const std::string of_faces = faces.refine ? "\n" + faces.prompt : "";
  return placeholder_names(request.prompt + "\n" + request.negative_prompt + of_faces, known);
}

std::string find_missing_embedding(const ImageRequest& request, const EmbeddingSizes& embeddings) {
  for (const std::string& name : list_embedding_names(request, embeddings)) {
    if (!embeddings.contains(name)) return name;
  }
  return "";
}

}  // namespace sdx
