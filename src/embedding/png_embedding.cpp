#include "embedding/png_embedding.h"

#include <ATen/ops/tensor.h>

#include <vector>

#include "sdx/image/png.h"
#include "sdx/util/base64.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr const char* kKeyword = "sd-ti-embedding";
constexpr const char* kTensorKey = "TORCHTENSOR";
/// Ten times what 75 vectors of the widest text encoder take.
constexpr std::size_t kMaxBase64Bytes = std::size_t{32} << 20U;
constexpr int kMaxDepth = 10;

Json parse(const std::string& text) {
  const auto refuse_depth = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) throw DataError("its JSON is nested too deeply");
    return true;
  };
  try {
    return Json::parse(text, refuse_depth);
  } catch (const Json::exception& error) {
    throw DataError(std::string("its text is not JSON: ") + error.what());
  }
}

/// A list of numbers, or a list of such lists of one length.
at::Tensor read_tensor(const Json& value) {
  const Json* rows = value.is_object() && value.contains(kTensorKey) ? &value[kTensorKey] : nullptr;
  if (rows == nullptr || !rows->is_array() || rows->empty()) {
    throw DataError("expected a tensor as nested lists, found " + in_quotes(value.dump()));
  }
  const bool is_matrix = rows->front().is_array();
  const std::size_t width = is_matrix ? rows->front().size() : rows->size();
  std::vector<double> numbers;
  const auto take = [&](const Json& row) {
    if (!row.is_array() || row.size() != width) {
      throw DataError("the rows of its tensor have different lengths");
    }
    for (const Json& number : row) {
      if (!number.is_number()) throw DataError("its tensor holds " + in_quotes(number.dump()));
      numbers.push_back(number.get<double>());
    }
  };
  if (is_matrix) {
    for (const Json& row : *rows) take(row);
  } else {
    take(*rows);
  }
  const auto columns = static_cast<std::int64_t>(width);
  const at::Tensor tensor = at::tensor(numbers, at::kDouble);
  return is_matrix ? tensor.reshape({static_cast<std::int64_t>(rows->size()), columns}) : tensor;
}

PngEmbedding parse_embedding(const std::string& base64) {
  if (base64.size() > kMaxBase64Bytes) throw DataError("its text is too long for an embedding");
  const Json json = parse(from_base64(base64));
  if (!json.is_object() || !json.contains("string_to_param") ||
      !json["string_to_param"].is_object()) {
    throw DataError("its text has no object \"string_to_param\"");
  }
  PngEmbedding embedding;
  for (const auto& [key, value] : json["string_to_param"].items()) {
    embedding.tensors[key] = read_tensor(value);
  }
  for (const char* key : {"name", "step", "sd_checkpoint", "sd_checkpoint_name"}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    embedding.metadata[key] = found->is_string() ? found->get<std::string>() : found->dump();
  }
  return embedding;
}

}  // namespace

std::optional<PngEmbedding> read_png_embedding(const std::filesystem::path& file) {
  const auto texts = read_png_texts(file);
  const auto found = texts.find(kKeyword);
  if (found == texts.end()) return std::nullopt;
  try {
    return parse_embedding(found->second);
  } catch (const DataError& error) {
    throw DataError(file.string() + ": " + error.what());
  }
}

bool is_png_embedding(const std::filesystem::path& file) {
  try {
    return read_png_texts(file).contains(kKeyword);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace sdx
