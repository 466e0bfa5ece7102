#include "sdx/image/face_network.h"

#include <cmath>
#include <cstdlib>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

constexpr const char* kNetworkFile = "dlib_face_recognition_resnet_model_v1.dat";

/// Where the network's files are: `$SDX_FACE_NETWORK`, as for the programs; empty: nowhere.
fs::path network_folder() {
  const char* const chosen = std::getenv("SDX_FACE_NETWORK");
  return chosen == nullptr ? fs::path() : fs::path(chosen);
}

}  // namespace

TEST_CASE("image: a folder without the face network is refused", "[image][needs-dlib]") {
  const TempFolder folder;
  if (!FaceNetwork::is_built_in()) {
    CHECK_FALSE(FaceNetwork::load_installed().has_value());
    const auto message =
        catch_message<UnavailableError>([&] { FaceNetwork::load_installed(folder.path()); });
    CHECK(contains(message, "SDX_WITH_DLIB"));
    SDX_SKIP("this build has no dlib");
  }
  CHECK_THROWS_AS(FaceNetwork(folder.path()), MissingInputError);
  for (const std::string& content :
       {std::string(), std::string("a text"), std::string(4000, '\7')}) {
    folder.file(kNetworkFile, content);
    const auto message =
        catch_message<DataError>([&] { FaceNetwork::load_installed(folder.path()); });
    CHECK(contains(message, kNetworkFile));
  }
  ::setenv("SDX_DATA", folder.path().c_str(), 1);
  const fs::path before = network_folder();
  ::unsetenv("SDX_FACE_NETWORK");
  CHECK_FALSE(FaceNetwork::load_installed().has_value());
  if (!before.empty()) ::setenv("SDX_FACE_NETWORK", before.c_str(), 1);
  ::unsetenv("SDX_DATA");
}

TEST_CASE("image: the face network knows a person again", "[image][needs-dlib]") {
  if (!FaceNetwork::is_built_in()) SDX_SKIP("this build has no dlib");
  const fs::path lisa = fs::path(SDX_SHARED_DATA) / "portraits/lisa";
  if (network_folder().empty()) SDX_SKIP("SDX_FACE_NETWORK does not say where the network is");
  if (!fs::exists(lisa)) SDX_SKIP("the photographs in shared/data are not here");
  const FaceNetwork network(network_folder());
  std::vector<std::vector<float>> seen;
  for (const auto& file : fs::directory_iterator(lisa)) {
    const Image photo = decode_image(file.path()).image;
    const auto identity = network.encode(photo);
    INFO(file.path().filename().string());
    REQUIRE(identity.has_value());
    CHECK(identity->size() == 128);
    CHECK(std::abs(cosine(*identity, *identity) - 1) < 1e-5);
    // As small as what the built-in model makes.
    const Rect square = centre_square(photo.width_px, photo.height_px);
    const auto small = network.encode(resize(crop(photo, square), 128, 128));
    if (small) CHECK(cosine(*identity, *small) > network.same_person_cosine());
    seen.push_back(*identity);
  }
  REQUIRE(seen.size() == 8);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      CHECK(cosine(seen[i], seen[j]) > network.same_person_cosine());
    }
  }
  CHECK_FALSE(network.encode(plain_image(300, 200, {90, 90, 90})).has_value());
  CHECK_FALSE(network.encode(plain_image(1, 1, {90, 90, 90})).has_value());
  CHECK_FALSE(network.encode(Image()).has_value());
  // Of a cartoon in which dlib sees a face: it is not her.
  const auto cartoon = network.encode(
      resize(decode_image(fs::path(SDX_SOURCE_DIR) / "configs/demo/portraits/ada/03.png").image,
             512, 512));
  REQUIRE(cartoon.has_value());
  for (const auto& identity : seen) {
    CHECK(cosine(identity, *cartoon) < network.same_person_cosine());
  }
}
