#include "sdx/roster/team_images.h"

#include <ATen/ops/ones.h>

#include <map>

#include "sdx/device/device.h"
#include "sdx/embedding/embedding_reader.h"
#include "sdx/embedding/embedding_writer.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::read_bytes;
using sdx::test::TempFolder;
using sdx::test::tiny_bundle;
namespace fs = std::filesystem;

namespace {

sdx::ImageRequest request(const std::string& prompt, std::uint64_t seed = 1) {
  sdx::ImageRequest request;
  request.prompt = prompt;
  request.seed = seed;
  request.settings.sampler.steps = 2;
  return request;
}

/// Words that lie in files, as a team's do.
struct Words {
  explicit Words(double value) {
    const at::Tensor vectors = at::ones({1, tiny_bundle().info().context_width()}) * value;
    for (const char* name : {"Ada", "Ben"}) {
      const fs::path file = folder.path() / (std::string(name) + ".safetensors");
      sdx::write_embedding(file, {name, vectors, {}, {}});
      table.add(sdx::read_embedding(file));
    }
  }
  TempFolder folder;
  sdx::EmbeddingTable table;
};

std::vector<sdx::TeamImage> list_images(const std::vector<sdx::ImageRequest>& requests,
                                        const Words& words, const sdx::ImageEncoding& encoding = {},
                                        const std::string& dtype = "auto") {
  return sdx::list_team_images(requests, tiny_bundle(), words.table, encoding, dtype);
}

struct Counter : sdx::ImageObserver {
  int made = 0;
  void on_image(const sdx::TeamImage&) override { ++made; }
};

}  // namespace

TEST_CASE("roster: a picture's name says who is in it and changes with what decides it",
          "[roster]") {
  const Words words(0.1);
  const auto find_file = [](const sdx::ImageRequest& wanted, const Words& with) {
    return list_images({wanted}, with).front().file.string();
  };
  const std::string file = find_file(request("<Ada> & <Ben>, snow", 7), words);
  CHECK(file.starts_with("pictures/Ada Ben/ada-ben-snow-7-"));
  CHECK(file.ends_with(".png"));
  CHECK(find_file(request("<Ada> & <Ben>, snow", 7), Words(0.1)) == file);
  CHECK(find_file(request("<Ada> & <Ben>, snow", 7), Words(0.2)) != file);
  sdx::ImageRequest other = request("<Ada> & <Ben>, snow", 7);
  other.settings.guidance_scale = 3;
  CHECK(find_file(other, words) != file);
  CHECK(list_images({request("<Ada>"), request("<Ada>"), request("<Ada>", 2)}, words).size() == 2);
}

TEST_CASE("roster: only what is missing is made, and it does not depend on what was there",
          "[roster]") {
  const Words words(0.1);
  const sdx::Generator generator(tiny_bundle(), {});
  const auto images =
      list_images({request("<Ada>, snow"), request("Robot <Ada>"), request("<Ada>", 5)}, words);
  const auto make = [&](const sdx::TeamFolder& team) {
    Counter counter;
    sdx::make_images(generator, tiny_bundle(), team, images, words.table, {}, "test", counter);
    return counter.made;
  };
  const TempFolder first;
  CHECK(sdx::count_missing({first.path()}, images) == 3);
  CHECK(make({first.path()}) == 3);
  CHECK(make({first.path()}) == 0);
  CHECK(sdx::count_missing({first.path()}, images) == 0);

  std::map<fs::path, std::string> bytes;
  for (const auto& image : images) bytes[image.file] = read_bytes(first.path() / image.file);
  for (const auto& image : images) {
    fs::remove(first.path() / image.file);
    CHECK(make({first.path()}) == 1);
    CHECK(read_bytes(first.path() / image.file) == bytes.at(image.file));
  }
}

TEST_CASE("roster: a picture's name changes with the dtype and the quality that are chosen",
          "[roster]") {
  const Words words(0.1);
  const auto file_with = [&](const sdx::ImageEncoding& encoding, const std::string& dtype) {
    return list_images({request("<Ada>")}, words, encoding, dtype).front().file.string();
  };
  const std::string usual = file_with({}, "auto");
  CHECK(file_with({}, "bf16") != usual);
  CHECK(file_with({}, "bf16") != file_with({}, "fp32"));
  CHECK(file_with({sdx::ImageFormat::kPng, 50}, "auto") == usual);  // PNG has no quality
  const std::string jpeg = file_with({sdx::ImageFormat::kJpeg, 0}, "auto");
  CHECK(jpeg.ends_with(".jpg"));
  CHECK(file_with({sdx::ImageFormat::kJpeg, 50}, "auto") != jpeg);
  CHECK(file_with({sdx::ImageFormat::kJpeg, 51}, "auto") !=
        file_with({sdx::ImageFormat::kJpeg, 50}, "auto"));
}

TEST_CASE("roster: the names of commit 4ce8870 are still those of a picture with defaults",
          "[roster]") {
  const fs::path team = fs::path(SDX_TEST_DATA) / "team-4ce8870/team";
  sdx::EmbeddingTable words;
  words.add(sdx::read_embedding(team / "embeddings/Ada1.safetensors"));
  sdx::ImageRequest wanted = request("<Ada1> as an astronaut");
  wanted.settings.sampler.steps = 4;
  wanted.settings.width_px = 64;
  wanted.settings.height_px = 64;
  wanted.settings.guidance_scale = tiny_bundle().info().advice.guidance_scale;
  const auto names = sdx::list_team_images({wanted}, tiny_bundle(), words, {});
  CHECK(names.front().file == "pictures/Ada1/ada1-as-an-astronaut-1-8a26841c.png");
}

TEST_CASE("roster: a picture of commit 4ce8870 is the one of the dtype that made it", "[roster]") {
  const Words words(0.1);
  const sdx::Generator generator(tiny_bundle(), {});  // computes in float32
  const TempFolder team;
  sdx::ImageObserver nobody;
  sdx::make_images(generator, tiny_bundle(), {team.path()}, list_images({request("<Ada>")}, words),
                   words.table, {}, "test", nobody);
  const auto missing = [&](const std::string& dtype) {
    return sdx::count_missing({team.path()}, list_images({request("<Ada>")}, words, {}, dtype));
  };
  CHECK(missing("auto") == 0);
  CHECK(missing("fp32") == 0);
  CHECK(missing("bf16") == 1);
}
