#include "sdx/dataset/subject.h"

#include "sdx/dataset/strays.h"

namespace sdx {

std::vector<Image> SubjectPortraits::used() const {
  std::vector<Image> images;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) images.push_back(portrait.image);
  }
  return images;
}

SubjectPortraits load_subject(const std::filesystem::path& folder, const SubjectOptions& options,
                              const Bundle& bundle, const IdentityEncoder* identity) {
  const bool is_person = options.kind == SubjectKind::kPerson;
  PortraitOptions reading = options.portraits;
  reading.crop = options.crop.value_or(is_person ? Crop::kFace : Crop::kCentre);
  reading.size_px = bundle.info().native_size_px;
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
