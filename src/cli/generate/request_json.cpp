#include "cli/generate/request_json.h"

#include <ATen/ops/from_blob.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string_view>

#include "sdx/generation/embedding_names.h"
#include "sdx/generation/image_options.h"
#include "sdx/util/base64.h"

namespace sdx {

namespace {

Json to_json(const Image& image) {
  const std::string_view bytes(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
  return {{"width", image.width_px}, {"height", image.height_px}, {"rgb", to_base64(bytes)}};
}

Image read_image(const Json& json) {
  Image image(json.at("width"), json.at("height"));
  const std::string bytes = from_base64(json.at("rgb").get_ref<const std::string&>());
  image.rgb.assign(bytes.begin(), bytes.end());
  return image;
}

Json to_json(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.to(at::kCPU, at::kFloat).contiguous();
  const std::string_view bytes(static_cast<const char*>(whole.const_data_ptr()), whole.nbytes());
  return {{"shape", whole.sizes().vec()}, {"float32", to_base64(bytes)}};
}

at::Tensor read_tensor(const Json& json) {
  std::string bytes = from_base64(json.at("float32").get_ref<const std::string&>());
  const auto shape = json.at("shape").get<std::vector<std::int64_t>>();
  return at::from_blob(bytes.data(), shape, at::kFloat).clone();
}

/// All that can be said of an image but its start image, which is in a list of its own.
Json to_json(const ImageRequest& request) {
  ImageOptions options = to_options(request);
  const Settings settings(image_settings(), options);
  Json json = Json::object();
  for (const BoundSetting& setting : settings.all()) json[setting.info->key] = setting.to_json();
  return json;
}

ImageRequest read_request(const Json& json) {
  ImageOptions options;
  const Settings settings(image_settings(), options);
  for (const auto& [key, value] : json.items()) settings.at(key).set_json(value);
  return make_request(options, {});
}

Json to_json(const StartImage& start) {
  Json json = {{"image", to_json(start.image)}};
  if (start.mask) json["mask"] = to_json(*start.mask);
  return json;
}

std::shared_ptr<const StartImage> read_start(const Json& json) {
  auto start = std::make_shared<StartImage>();
  start->image = read_image(json.at("image"));
  if (json.contains("mask")) start->mask = read_image(json.at("mask"));
  return start;
}

Json to_json(const AppliedLora& applied) {
  return {{"name", applied.name},
          {"file", applied.lora->file.string()},
          {"text", applied.text},
          {"unet", applied.unet}};
}

/// The LoRAs of a task: each file is read once.
class ReadLoras {
 public:
  AppliedLoras read(const Json& json) {
    AppliedLoras all;
    for (const Json& one : json) {
      auto& lora = files_[one.at("file").get<std::string>()];
      if (!lora) lora = read_lora(one.at("file").get<std::string>());
      all.push_back({one.at("name"), lora, one.at("text"), one.at("unet")});
    }
    return all;
  }

 private:
  std::map<std::string, std::shared_ptr<const Lora>> files_;
};

Json to_json(const Embedding& embedding) {
  Json matrices = Json::array();
  for (const at::Tensor& matrix : embedding.vectors.matrices()) matrices.push_back(to_json(matrix));
  return {{"name", embedding.name}, {"file", embedding.file.string()}, {"vectors", matrices}};
}

Embedding read_word(const Json& json) {
  std::vector<at::Tensor> matrices;
  for (const Json& matrix : json.at("vectors")) matrices.push_back(read_tensor(matrix));
  return {json.at("name"),
          EmbeddingVectors(std::move(matrices)),
          {},
          json.at("file").get<std::string>(),
          {}};
}

}  // namespace

Json to_json(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings) {
  std::set<std::string> used;
  std::map<const StartImage*, std::size_t> known;
  Json starts = Json::array();
  Json list = Json::array();
  for (const ImageRequest& request : requests) {
    for (const std::string& name : list_embedding_names(request, embeddings)) used.insert(name);
    const StartImage* const start = request.settings.start.get();
    if (start != nullptr && known.emplace(start, known.size()).second) {
      starts.push_back(to_json(*start));
    }
    Json one = {{"settings", to_json(request)}};
    if (start != nullptr) one["start"] = known.at(start);
    for (const AppliedLora& applied : request.settings.loras) {
      one["loras"].push_back(to_json(applied));
    }
    list.push_back(std::move(one));
  }
  Json words = Json::array();
  for (const std::string& name : used) words.push_back(to_json(embeddings.at(name)));
  return {{"requests", list}, {"starts", starts}, {"embeddings", words}};
}

ImageTask read_image_task(const Json& json) {
  ImageTask task;
  ReadLoras loras;
  std::vector<std::shared_ptr<const StartImage>> starts;
  for (const Json& start : json.at("starts")) starts.push_back(read_start(start));
  for (const Json& one : json.at("requests")) {
    ImageRequest request = read_request(one.at("settings"));
    if (one.contains("start")) request.settings.start = starts.at(one.at("start"));
    if (one.contains("loras")) request.settings.loras = loras.read(one.at("loras"));
    task.requests.push_back(std::move(request));
  }
  for (const Json& word : json.at("embeddings")) task.embeddings.add(read_word(word));
  return task;
}

bool survives_json(const std::vector<ImageRequest>& requests) {
  for (const ImageRequest& request : requests) {
    const std::string text = to_json(request).dump(-1, ' ', false, Json::error_handler_t::replace);
    ImageRequest read = read_request(Json::parse(text));
    read.settings.start = request.settings.start;
    read.settings.loras = request.settings.loras;
    if (read != request) return false;
  }
  return true;
}

Json to_json(const GeneratedImage& image) {
  const GenerationInfo& info = image.generation_info;
  return {{"image", to_json(image.image)},
          {"latents", to_json(image.latents)},
          {"batch_size", info.place.size},
          {"position", info.place.position},
          {"precision", static_cast<int>(info.dtype)},
          {"piece", info.piece_px},
          {"upscale", info.upscale},
          {"face_detector", info.faces.detector},
          {"faces", info.faces.count}};
}

GeneratedImage read_generated_image(const Json& json) {
  GenerationInfo info;
  info.place = {json.at("batch_size"), json.at("position")};
  info.dtype = static_cast<c10::ScalarType>(json.at("precision").get<int>());
  info.piece_px = json.at("piece");
  info.upscale = json.at("upscale");
  info.faces = {json.at("face_detector"), json.at("faces")};
  return {read_image(json.at("image")), info, read_tensor(json.at("latents"))};
}

Json to_json(const Preview& preview) {
  return {{"image", to_json(preview.image)}, {"step", preview.step}, {"steps", preview.steps}};
}

Preview read_preview(const Json& json) {
  return {read_image(json.at("image")), json.at("step"), json.at("steps")};
}

}  // namespace sdx
