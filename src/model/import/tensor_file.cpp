#include "model/import/tensor_file.h"

#include "sdx/tensor/torch_file.h"

namespace sdx {

namespace {

/// Training tools put the model into `state_dict`, others save nothing else.
TensorFile read_checkpoint_of_torch(const std::filesystem::path& path) {
  // Reading the weights reads every page anyway; their checksums would cost a second pass.
  const PickleValue root = read_torch_file(path, TorchChecks::kPickleOnly);
  const PickleValue* state = root.find("state_dict");
  TensorFile file;
  file.tensors = list_tensors(state != nullptr ? state : &root, path.string());
  if (const PickleValue* step = root.find("global_step")) {
    if (const std::int64_t* count = step->integer()) file.global_step = *count;
  }
  return file;
}

}  // namespace

TensorFile map_tensor_file(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".ckpt" || extension == ".pt" || extension == ".pth" || extension == ".bin") {
    return read_checkpoint_of_torch(path);
  }
  Safetensors content = map_safetensors(path);
  return {std::move(content.tensors), std::move(content.metadata), SourceFile{path, content.file},
          std::nullopt};
}

}  // namespace sdx
