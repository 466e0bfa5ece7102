#include "model/import/tensor_file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "sdx/tensor/container.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Under which keys training programs keep the weights, the most telling one first.
constexpr std::array<std::string_view, 6> kStateKeys = {"state_dict", "model_state_dict", "model",
                                                        "module",     "weights",          "params"};
constexpr int kMaxStateDepth = 3;

std::size_t count_tensors(const PickleValue& value) {
  if (value.dict() == nullptr) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(*value.dict(), [](const auto& entry) {
    return entry.first.text() != nullptr && entry.second.tensor() != nullptr;
  }));
}

/// The dict that holds the weights: under a key of the table, at the root, or whichever has the
/// most tensors. Null if there is none.
const PickleValue* find_state(const PickleValue& root, int depth = 0) {
  if (root.dict() == nullptr || depth > kMaxStateDepth) return nullptr;
  for (const std::string_view key : kStateKeys) {
    const PickleValue* const inner = root.find(key);
    if (inner == nullptr) continue;
    if (const PickleValue* const state = find_state(*inner, depth + 1)) return state;
  }
  if (count_tensors(root) > 0) return &root;
  const PickleValue* largest = nullptr;
  for (const auto& [key, value] : *root.dict()) {
    const PickleValue* const state = find_state(value, depth + 1);
    if (state == nullptr) continue;
    if (largest == nullptr || count_tensors(*state) > count_tensors(*largest)) largest = state;
  }
  return largest;
}

/// What a file holds that has no tensors under names, for a message.
std::string describe_root(const PickleValue& root) {
  if (root.opaque() != nullptr) {
    return root.description() +
           ", a whole object of a Python program: save the state_dict of the model instead";
  }
  if (root.dict() == nullptr) return root.description();
  constexpr std::size_t kShown = 5;
  std::vector<std::string> entries;
  for (const auto& [key, value] : *root.dict()) {
    if (entries.size() == kShown) {
      entries.emplace_back("…");
      break;
    }
    entries.push_back(
        (key.text() != nullptr ? in_quotes(*key.text()) : "(" + key.description() + ")") + " (" +
        value.description() + ")");
  }
  return entries.empty() ? "an empty dict" : "a dict with " + join(entries, ", ");
}

TensorFile read_checkpoint_of_torch(const std::filesystem::path& path) {
  // Reading the weights reads every page anyway; their checksums would cost a second pass.
  const PickleValue root = read_torch_file(path, TorchChecks::kPickleOnly);
  if (root.find("string_to_param") != nullptr) {
    throw DataError(path.string() +
                    ": this is an embedding, which is used as it is: put it into the folder of "
                    "embeddings; expected a whole checkpoint of Stable Diffusion 1, 2 or XL");
  }
  const PickleValue* const state = find_state(root);
  if (state == nullptr) {
    throw DataError(path.string() + ": expected a dict of tensors, found " + describe_root(root));
  }
  TensorFile file;
  file.tensors = list_tensors(state, path.string());
  if (const PickleValue* step = root.find("global_step")) {
    if (const std::int64_t* count = step->integer()) file.global_step = *count;
  }
  return file;
}

}  // namespace

void require_readable(const fs::path& source) {
  std::error_code failure;
  const fs::file_status status = fs::status(source, failure);
  if (fs::is_directory(status)) static_cast<void>(fs::directory_iterator(source, failure));
  if (failure == std::errc::permission_denied) {
    throw PermissionError("cannot read " + source.string() + ": " + failure.message());
  }
  if (!fs::exists(status)) {
    throw MissingInputError(source.string() + ": no such file or folder");
  }
}

TensorFile map_tensor_file(const std::filesystem::path& path) {
  if (find_container(path) == TensorContainer::kTorch) return read_checkpoint_of_torch(path);
  Safetensors content = map_safetensors(path);
  return {std::move(content.tensors), std::move(content.metadata), SourceFile{path, content.file},
          std::nullopt};
}

}  // namespace sdx
