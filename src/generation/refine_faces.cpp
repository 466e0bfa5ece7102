#include "generation/refine_faces.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "sdx/embedding/embedding.h"
#include "sdx/generation/image_size.h"
#include "sdx/image/face_network.h"
#include "sdx/image/transform.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/prompt/single_name.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"

namespace sdx {

namespace {

constexpr const char* kSlot = "{name}";

// A picture of a model is searched at a size at which its small faces, and cartoons of 128 pixels,
// are large enough for the detector: of 24 such cartoons YuNet found 23 at 512 pixels, 15 at 128.
// In plain areas that are enlarged more it sees faces where there are none.
constexpr int kLeastSearch_px = 512;
constexpr int kMostSearch_px = 1280;
constexpr double kSmallestFace = 0.02;

/// All faces, from left to right.
std::vector<Rect> find_faces(const FaceFinder& finder, const Image& picture, double confidence) {
  std::vector<Rect> faces;
  for (const Face& face :
       finder.find(picture, {confidence, kSmallestFace, kLeastSearch_px, kMostSearch_px})) {
    faces.push_back(face.box);
  }
  sort_left_to_right(faces);
  return faces;
}

bool has_slot(const std::string& text) { return text.find(kSlot) != std::string::npos; }

std::int64_t count_pixels(int width_px, int height_px) {
  return static_cast<std::int64_t>(width_px) * height_px;
}

}  // namespace

ImageSettings make_face_settings(const ImageSettings& picture, const BundleInfo& info,
                                 std::shared_ptr<const StartImage> start) {
  ImageSettings settings = picture;
  settings.faces = {};
  settings.hires = {};
  settings.upscale.clear();
  settings.tile = false;
  settings.place = {};
  settings.strength = picture.faces.strength;
  settings.width_px = 0;
  settings.height_px = 0;
  settings.aspect = start ? static_cast<double>(start->image.width_px) / start->image.height_px : 1;
  const ImageSize size = image_size(settings, info);
  settings.width_px = size.width_px;
  settings.height_px = size.height_px;
  settings.aspect = 0;
  if (start) {
    // To the very shape: what lies at the edges is not to be cut off.
    auto fitting = std::make_shared<StartImage>();
    fitting->image = resize(start->image, size.width_px, size.height_px);
    if (start->mask) fitting->mask = resize(*start->mask, size.width_px, size.height_px);
    start = std::move(fitting);
  }
  settings.start = std::move(start);
  return settings;
}

ImageRequest make_face_request(const ImageRequest& picture, const BundleInfo& info,
                               const FacePart& part, const std::string& prompt,
                               std::shared_ptr<const StartImage> start) {
  ImageRequest request;
  request.prompt = prompt;
  request.negative_prompt = picture.negative_prompt;
  request.seed = derive_face_seed(picture.seed, part.number);
  request.settings = make_face_settings(picture.settings, info, std::move(start));
  return request;
}

std::vector<std::string> list_face_names(const ImageRequest& request, const EmbeddingSizes& known) {
  const std::string& own = request.settings.faces.prompt;
  if (has_slot(own)) return placeholder_names(request.prompt, known);
  const std::vector<std::string> names = placeholder_names(own, known);
  return names.empty() ? placeholder_names(request.prompt, known) : names;
}

std::string make_face_prompt(const ImageRequest& request, const std::string& name,
                             const EmbeddingSizes& known) {
  const std::string& own = request.settings.faces.prompt;
  if (has_slot(own)) return fill_name(own, placeholder(name));
  const std::string& text = own.empty() ? request.prompt : own;
  std::vector<std::string> others = list_face_names(request, known);
  std::erase_if(others, [&](const std::string& other) { return is_same_name(other, name); });
  return others.empty() ? text : keep_one_name(text, name, others, known);
}

const FaceFinder& FaceRefiner::finder() const {
  if (!finder_) finder_ = FaceFinder::installed({}, bundle_.folder());
  if (finder_) return *finder_;
  throw UnavailableError(
      "`refine-faces`: there is no face detector here; name the file of YuNet by "
      "$SDX_FACE_DETECTOR, or install Debian's opencv-data");
}

const Identities& FaceRefiner::identities() const {
  if (!identities_) identities_ = Identities::load_installed(bundle_, device_);
  if (!identities_->all().empty()) return *identities_;
  throw UnavailableError("`face-names`: nothing here tells people apart in the pictures of " +
                         bundle_.info().name + ": " + FaceNetwork::how_to_install() +
                         "; or leave `face-names` out: then the faces are named from the left");
}

std::vector<ImageRequest> FaceRefiner::check(const ImageRequest& request,
                                             const EmbeddingSizes& known) const {
  const FaceSettings& faces = request.settings.faces;
  finder();
  if (faces.names == FaceNames::kLikeness) identities();
  const std::vector<std::string> names = list_face_names(request, known);
  if (names.empty() && has_slot(faces.prompt)) {
    throw UsageError("`face-prompt`: {name} stands for the name of a face, and the prompt \"" +
                     request.prompt + "\" has none, such as <Ada>");
  }
  // The part of a picture is unknown yet: any will do.
  const auto start = std::make_shared<StartImage>(StartImage{Image(1, 1), std::nullopt});
  const std::string prompt = make_face_prompt(request, names.empty() ? "" : names.front(), known);
  return {make_face_request(request, bundle_.info(), {}, prompt, start)};
}

/// What the encoders see in a picture of a person alone.
const FaceRefiner::Person& FaceRefiner::look_at(const std::string& name,
                                                const ImageRequest& request,
                                                const Maker& make) const {
  ImageRequest alone;
  alone.prompt = placeholder(name);
  alone.negative_prompt = request.negative_prompt;
  alone.settings = make_face_settings(request.settings, bundle_.info(), nullptr);
  for (const auto& person : persons_) {
    if (person->request == alone) return *person;
  }
  Person person{alone, {}};
  const Image image = make(alone, 0, 0);
  for (const IdentityEncoder* const encoder : identities().all()) {
    person.seen.push_back(encoder->encode(image));
  }
  persons_.push_back(std::make_unique<const Person>(std::move(person)));
  return *persons_.back();
}

/// Nothing if no encoder sees all faces and all persons.
std::optional<std::vector<std::optional<std::string>>> FaceRefiner::find_likeness(
    const Image& picture, const std::vector<Rect>& faces, const std::vector<std::string>& names,
    const ImageRequest& request, const Maker& make) const {
  std::vector<const Person*> alone;
  for (const std::string& name : names) alone.push_back(&look_at(name, request, make));
  const std::vector<const IdentityEncoder*> encoders = identities().all();
  for (std::size_t by = 0; by < encoders.size(); ++by) {
    std::vector<std::vector<float>> persons;
    for (const Person* const person : alone) {
      if (person->seen[by]) persons.push_back(*person->seen[by]);
    }
    std::vector<std::vector<float>> seen;
    for (const Rect& face : faces) {
      const Rect square = portrait_square(face, picture.width_px, picture.height_px);
      if (auto one = encoders[by]->encode(crop(picture, square))) seen.push_back(*std::move(one));
    }
    if (persons.size() == names.size() && seen.size() == faces.size()) {
      return name_by_likeness(seen, persons, names);
    }
  }
  return std::nullopt;
}

RefinedFaces FaceRefiner::refine(Image& picture, const ImageRequest& request,
                                 const EmbeddingSizes& known, const std::string& what,
                                 const Image* kept, const Maker& make) const {
  const FaceSettings& settings = request.settings.faces;
  const ImageSize size{picture.width_px, picture.height_px};
  RefinedFaces refined{finder().method(), 0};
  const std::vector<Rect> faces = find_faces(finder(), picture, settings.confidence);
  if (faces.empty()) {
    spdlog::info("{}: no face found ({}), so it stays as it is", what, refined.detector);
    return refined;
  }
  const std::vector<std::string> names = list_face_names(request, known);
  auto named = name_left_to_right(faces, names);
  if (settings.names == FaceNames::kLikeness && names.size() > 1) {
    if (const auto alike = find_likeness(picture, faces, names, request, make)) {
      named = *alike;
    } else {
      spdlog::info("{}: not all faces can be told apart, so they are named from the left", what);
    }
  }

  const std::int64_t native =
      count_pixels(bundle_.info().native_size_px, bundle_.info().native_size_px);
  std::vector<std::pair<FacePart, Image>> parts;  // each with its mask
  for (std::size_t number = 0; number < faces.size(); ++number) {
    const Rect area = find_face_area(faces[number], settings, size);
    const bool is_enlarged = count_pixels(area.width_px, area.height_px) < native;
    if (!named[number] || !is_enlarged || !is_small_face(faces[number], settings, size)) continue;
    const FacePart part{faces[number], area, *named[number], number};
    Image mask = make_face_mask(part, settings, kept);
    if (std::ranges::all_of(mask.rgb, [](std::uint8_t share) { return share == 0; })) continue;
    parts.emplace_back(part, std::move(mask));
  }
  if (parts.empty()) {
    spdlog::info("{}: none of its {} faces is to be refined, so it stays as it is", what,
                 faces.size());
    return refined;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& [part, mask] = parts[i];
    const auto start = std::make_shared<StartImage>(StartImage{crop(picture, part.area), mask});
    const Image made = make(make_face_request(request, bundle_.info(), part,
                                              make_face_prompt(request, part.name, known), start),
                            i, parts.size());
    blend_face(picture, part.area, made, mask);
  }
  refined.count = static_cast<int>(parts.size());
  return refined;
}

}  // namespace sdx
