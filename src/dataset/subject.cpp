#include "sdx/dataset/subject.h"

#include "sdx/dataset/strays.h"
#include "sdx/util/error.h"

namespace sdx {

std::vector<Image> SubjectPortraits::used() const {
  std::vector<Image> images;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) images.push_back(portrait.image);
  }
  return images;
}

int choose_size_px(const SubjectOptions& options, const BundleInfo& model) {
  if (options.size_px == 0) return model.native_size_px;
  if (options.size_px > 0 && options.size_px % model.vae_factor == 0) return options.size_px;
  throw SettingError("size", "0 or a multiple of " + std::to_string(model.vae_factor),
                     std::to_string(options.size_px));
}

SubjectPortraits load_subject(const std::filesystem::path& folder, const SubjectOptions& options,
                              const Bundle& bundle, const IdentityEncoder* identity) {
  const bool is_person = options.kind == SubjectKind::kPerson;
  PortraitOptions reading = options.portraits;
  reading.crop = options.crop.value_or(is_person ? Crop::kFace : Crop::kCentre);
  reading.size_px = choose_size_px(options, bundle.info());
  const auto finder = FaceFinder::installed(options.face_detector, bundle.folder());
  SubjectPortraits subject;
  subject.portraits = load_portraits(folder, reading, finder ? &*finder : nullptr, identity);
  if (finder) subject.face_finder = finder->method();
  subject.tells_people_apart = identity != nullptr;
  if (identity != nullptr && is_person) subject.strays = flag_strays(subject.portraits, *identity);
  return subject;
}

std::vector<std::string> load_templates(const SubjectOptions& options) {
  return options.templates_file.empty()
             ? load_templates(options.kind)
             : load_templates(std::filesystem::path(options.templates_file));
}

}  // namespace sdx
