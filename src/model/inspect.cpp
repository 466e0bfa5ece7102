#include "sdx/model/inspect.h"

#include <map>

#include "model/linked_weights.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

PartSummary summarise(const std::string& name, const TensorMap& weights, bool linked) {
  PartSummary part;
  part.name = name;
  part.linked = linked;
  std::map<std::string, std::uint64_t> bytes_of_dtype;
  for (const auto& [tensor_name, tensor] : weights) {
    part.parameters += tensor.numel();
    part.bytes += tensor.nbytes();
    bytes_of_dtype[dtype_name(tensor.scalar_type())] += tensor.nbytes();
  }
  const auto most =
      std::max_element(bytes_of_dtype.begin(), bytes_of_dtype.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != bytes_of_dtype.end()) part.dtype = most->first;
  return part;
}

}  // namespace

std::vector<PartSummary> summarise_parts(const Bundle& bundle) {
  std::vector<std::string> names;
  for (const TextEncoderInfo& encoder : bundle.info().text_encoders) names.push_back(encoder.part);
  names.insert(names.end(), {"unet", "vae"});
  std::vector<PartSummary> parts;
  for (const std::string& name : names) {
    const fs::path file = bundle.folder() / (name + ".safetensors");
    const fs::path link = bundle.folder() / (name + ".link.json");
    if (bundle.has_file(file.filename())) {
      parts.push_back(summarise(name, map_safetensors(file).tensors, false));
    } else if (bundle.has_file(link.filename())) {
      parts.push_back(summarise(name, map_linked_weights(link), true));
    } else {
      parts.push_back(summarise(name, {}, false));
    }
  }
  return parts;
}

std::vector<std::string> find_damage(const Bundle& bundle) {
  std::vector<std::string> problems;
  for (const auto& [file, hash] : bundle.info().sha256) {
    try {
      bundle.reread_file(file);
      if (file.ends_with(".link.json")) verify_linked_weights(bundle.folder() / file);
    } catch (const PermissionError&) {
      throw;  // nothing can be said of it
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  }
  for (const auto& entry : fs::recursive_directory_iterator(
           bundle.folder(), fs::directory_options::skip_permission_denied)) {
    const std::string file = entry.path().lexically_relative(bundle.folder()).string();
    if (entry.is_directory() || file == "bundle.json" || bundle.has_file(file)) continue;
    problems.push_back(entry.path().string() + ": not in the bundle's manifest");
  }
  return problems;
}

}  // namespace sdx
