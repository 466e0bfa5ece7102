#include "sdx/image/face_network.h"

#include <cstdlib>
#include <string>
#include <system_error>

#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"

#ifdef SDX_WITH_DLIB
#include <dlib/dnn.h>
#include <dlib/image_processing.h>
#include <dlib/image_processing/frontal_face_detector.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <sstream>

#include "sdx/image/transform.h"
#include "sdx/util/file.h"
#endif

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kNetworkFile = "dlib_face_recognition_resnet_model_v1.dat";
constexpr const char* kLandmarksFile = "shape_predictor_5_face_landmarks.dat";

}  // namespace

std::optional<FaceNetwork> FaceNetwork::load_installed(const fs::path& folder) {
  if (!folder.empty()) return FaceNetwork(folder);
  if (!is_built_in()) return std::nullopt;
  const char* const path = std::getenv("SDX_FACE_NETWORK");
  if (path != nullptr && *path != '\0') return FaceNetwork(path);
  const fs::path usual = data_folder() / "face";
  std::error_code ignored;
  if (!fs::exists(usual / kNetworkFile, ignored) || !fs::exists(usual / kLandmarksFile, ignored)) {
    return std::nullopt;
  }
  return FaceNetwork(usual);
}

FaceNetwork::~FaceNetwork() = default;
FaceNetwork::FaceNetwork(FaceNetwork&&) noexcept = default;
FaceNetwork& FaceNetwork::operator=(FaceNetwork&&) noexcept = default;

#ifdef SDX_WITH_DLIB

namespace {

// The network as it was trained, from dlib's dnn_face_recognition_ex.cpp.
template <int N, int kStride, typename Below>
using Block =
    dlib::affine<dlib::con<N, 3, 3, 1, 1,
                           dlib::relu<dlib::affine<dlib::con<N, 3, 3, kStride, kStride, Below>>>>>;
template <int N, typename Below>
using Residual = dlib::relu<dlib::add_prev1<Block<N, 1, dlib::tag1<Below>>>>;
template <int N, typename Below>
using HalvingResidual = dlib::relu<dlib::add_prev2<
    dlib::avg_pool<2, 2, 2, 2, dlib::skip1<dlib::tag2<Block<N, 2, dlib::tag1<Below>>>>>>>;
template <typename Below>
using Level4 = Residual<32, Residual<32, Residual<32, Below>>>;
template <typename Below>
using Level3 = Residual<64, Residual<64, Residual<64, HalvingResidual<64, Below>>>>;
template <typename Below>
using Level2 = Residual<128, Residual<128, HalvingResidual<128, Below>>>;
template <typename Below>
using Level1 = Residual<256, Residual<256, HalvingResidual<256, Below>>>;
template <typename Below>
using Level0 = HalvingResidual<256, Below>;
using Network = dlib::loss_metric<dlib::fc_no_bias<
    128, dlib::avg_pool_everything<Level0<Level1<Level2<Level3<Level4<dlib::max_pool<
             3, 3, 2, 2,
             dlib::relu<dlib::affine<
                 dlib::con<32, 7, 7, 2, 2, dlib::input_rgb_image_sized<150>>>>>>>>>>>>>;

constexpr std::size_t kMaxModelBytes = std::size_t{64} << 20U;
constexpr unsigned kChipSide_px = 150;
constexpr double kChipPadding = 0.25;
// The detector's window has 80 px: a portrait's face must reach it, and larger pictures gain
// nothing.
constexpr int kSmallestSide_px = 400;
constexpr int kLargestSide_px = 800;
// dlib's rule is a distance below 0.6 of its own vectors, whose length is about 1.4: for unit
// vectors 1 − 0.6² / (2 × 1.4²).
constexpr double kSamePersonCosine = 0.91;

template <typename Model>
void load(Model& model, const fs::path& file) {
  std::istringstream stream(read_file(file, kMaxModelBytes));
  try {
    deserialize(model, stream);
  } catch (const std::exception& error) {
    throw DataError(file.string() + ": not the model of dlib that its name says: " + error.what());
  }
}

Image at_search_size(const Image& image) {
  const int longer = std::max(image.width_px, image.height_px);
  const int target = std::clamp(longer, kSmallestSide_px, kLargestSide_px);
  if (target == longer) return image;
  const auto scaled = [&](int length) {
    return std::max(1,
                    static_cast<int>(std::lround(static_cast<double>(length) * target / longer)));
  };
  return resize(image, scaled(image.width_px), scaled(image.height_px));
}

dlib::matrix<dlib::rgb_pixel> to_dlib(const Image& image) {
  dlib::matrix<dlib::rgb_pixel> pixels(image.height_px, image.width_px);
  const std::uint8_t* next = image.rgb.data();
  for (dlib::rgb_pixel& pixel : pixels) {
    pixel = dlib::rgb_pixel(next[0], next[1], next[2]);
    next += 3;
  }
  return pixels;
}

}  // namespace

struct FaceNetwork::Impl {
  std::mutex mutex;  // all three keep buffers between calls
  dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
  dlib::shape_predictor landmarks;
  Network network;
};

bool FaceNetwork::is_built_in() { return true; }

std::string FaceNetwork::how_to_install() {
  return std::string("name the folder with ") + kNetworkFile + " and " + kLandmarksFile +
         " by `face-network` or $SDX_FACE_NETWORK, or put them into " +
         (data_folder() / "face").string();
}

FaceNetwork::FaceNetwork(const fs::path& folder) : impl_(std::make_unique<Impl>()) {
  load(impl_->network, folder / kNetworkFile);
  load(impl_->landmarks, folder / kLandmarksFile);
}

std::optional<std::vector<float>> FaceNetwork::encode(const Image& image) const {
  if (image.rgb.empty()) return std::nullopt;
  const std::lock_guard lock(impl_->mutex);
  const auto network_image = to_dlib(at_search_size(image));
  const std::vector<dlib::rectangle> boxes = impl_->detector(network_image);
  if (boxes.empty()) return std::nullopt;
  const dlib::rectangle& face = *std::max_element(
      boxes.begin(), boxes.end(), [](const auto& a, const auto& b) { return a.area() < b.area(); });
  dlib::matrix<dlib::rgb_pixel> chip;
  dlib::extract_image_chip(network_image,
                           dlib::get_face_chip_details(impl_->landmarks(network_image, face),
                                                       kChipSide_px, kChipPadding),
                           chip);
  const dlib::matrix<float, 0, 1> numbers = impl_->network(chip);
  const float norm = dlib::length(numbers);
  std::vector<float> identity(numbers.begin(), numbers.end());
  for (float& value : identity) value /= norm;
  return identity;
}

double FaceNetwork::same_person_cosine() const { return kSamePersonCosine; }

#else

struct FaceNetwork::Impl {};

bool FaceNetwork::is_built_in() { return false; }

std::string FaceNetwork::how_to_install() {
  return "this build of sdx has no dlib; install libdlib-dev and build again with "
         "-DSDX_WITH_DLIB=ON";
}

FaceNetwork::FaceNetwork(const fs::path& folder) {
  throw UnavailableError("`face-network` " + folder.string() + ": " + how_to_install());
}

std::optional<std::vector<float>> FaceNetwork::encode(const Image&) const { return std::nullopt; }

double FaceNetwork::same_person_cosine() const { return 1; }

#endif

}  // namespace sdx
