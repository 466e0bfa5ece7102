#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/generator.h"
#include "sdx/util/json.h"

namespace sdx {

// Requests and pictures on their way between processes of ours: to the last bit, and without files,
// which may change while somebody draws.

/// What several processes make pictures of.
struct ImageTask {
  std::vector<ImageRequest> requests;
  EmbeddingTable embeddings;  ///< that they use
};

/// @param embeddings a table that has those that the requests use; they alone are written
Json to_json(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings);
ImageTask read_image_task(const Json& json);

/// Whether the requests come out of read_image_task() as they went into to_json(): prompts that are
/// not UTF-8 do not.
bool survives_json(const std::vector<ImageRequest>& requests);

Json to_json(const GeneratedImage& image);
GeneratedImage read_generated_image(const Json& json);

Json to_json(const Preview& preview);
Preview read_preview(const Json& json);

}  // namespace sdx
