#include "sdx/roster/faces.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "sdx/image/decode.h"
#include "sdx/image/format.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// What begins like a picture or can't be read: other files are no matter of faces.
std::optional<ImageFace> image_at(const fs::path& file) {
  ImageFace image_face{file, {}, {}};
  try {
    if (!signed_format(read_file_start(file, kSignatureBytes))) return std::nullopt;
  } catch (const Error& error) {
    image_face.problem = error.what();
  }
  return image_face;
}

MemberFaces describe_member(const Member& member) {
  MemberFaces faces{member.name, member.portraits, {}};
  std::error_code failure;
  for (fs::directory_iterator entry(member.portraits, failure);
       !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    std::error_code ignored;
    const fs::path& file = entry->path();
    if (file.filename().string().starts_with('.') || entry->is_directory(ignored)) continue;
    if (auto image_face = image_at(file)) faces.images.push_back(std::move(*image_face));
  }
  if (failure) throw_errno(failure.value(), "read", member.portraits.string());
  std::sort(faces.images.begin(), faces.images.end(),
            [](const ImageFace& a, const ImageFace& b) { return a.file < b.file; });
  return faces;
}

void evaluate(ImageFace& image_face, const IdentityEncoder& encoder, const FaceFinder* finder) {
  if (!image_face.problem.empty()) return;
  try {
    const Image image = decode_image(image_face.file).image;
    image_face.face = face_in(image, encoder, finder).value_or(std::vector<float>());
  } catch (const Error& error) {
    image_face.problem = error.what();
  }
}

std::size_t readable_images(const MemberFaces& member) {
  return static_cast<std::size_t>(
      std::count_if(member.images.begin(), member.images.end(),
                    [](const ImageFace& image_face) { return image_face.problem.empty(); }));
}

/// Whether most folders are of different people to the encoder. One pair may always be alike, since
/// a person may be there under two names.
bool tells_apart(const IdentityEncoder& encoder, const std::vector<MemberFaces>& members) {
  constexpr std::size_t kPairsForOneAlike = 5;
  std::vector<std::vector<float>> means;
  for (const MemberFaces& member : members) {
    if (auto mean = unit_mean(member.faces()); !mean.empty()) means.push_back(std::move(mean));
  }
  std::size_t pairs = 0;
  std::size_t alike = 0;
  for (std::size_t i = 0; i < means.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      ++pairs;
      if (cosine(means[i], means[j]) >= encoder.same_person_cosine()) ++alike;
    }
  }
  return alike <= std::max<std::size_t>(1, pairs / kPairsForOneAlike);
}

bool knows(const IdentityEncoder& encoder, const std::vector<MemberFaces>& members) {
  std::size_t folders = 0;
  std::size_t known = 0;
  for (const MemberFaces& member : members) {
    const std::size_t images = readable_images(member);
    if (images < 2) continue;
    ++folders;
    const auto faces = member.faces();
    if (2 * faces.size() > images && are_mostly_one_person(faces, encoder)) ++known;
  }
  return 2 * known > folders && tells_apart(encoder, members);
}

}  // namespace

std::vector<std::vector<float>> MemberFaces::faces() const {
  std::vector<std::vector<float>> seen;
  for (const ImageFace& image_face : images) {
    if (!image_face.face.empty()) seen.push_back(image_face.face);
  }
  return seen;
}

std::optional<std::vector<float>> face_in(const Image& image, const IdentityEncoder& encoder,
                                          const FaceFinder* finder) {
  if (auto face = encoder.encode(image)) return face;
  if (finder == nullptr) return std::nullopt;
  for (const Face& found : finder->find(image)) {
    const Rect square = portrait_square(found.box, image.width_px, image.height_px);
    if (auto face = encoder.encode(crop(image, square))) return face;
  }
  return std::nullopt;
}

TeamFaces find_faces_of_team(const std::vector<Member>& members,
                             const std::vector<const IdentityEncoder*>& encoders,
                             const FaceFinder* finder,
                             const std::function<void(int done, int total)>& progress) {
  std::vector<MemberFaces> unseen;
  int total = 0;
  for (const Member& member : members) {
    unseen.push_back(describe_member(member));
    total += static_cast<int>(unseen.back().images.size());
  }
  TeamFaces first;
  for (const IdentityEncoder* const encoder : encoders) {
    TeamFaces team{encoder, false, unseen};
    int done = 0;
    progress(done, total);
    for (MemberFaces& member : team.members) {
      for (ImageFace& image_face : member.images) {
        evaluate(image_face, *encoder, finder);
        progress(++done, total);
      }
    }
    team.is_known = knows(*encoder, team.members);
    if (team.is_known) return team;
    if (first.encoder == nullptr) first = std::move(team);
  }
  return first;
}

}  // namespace sdx
