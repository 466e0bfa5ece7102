// Pictures as phones and scanners store them, given to the programs.

#include <cstdlib>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "support/image_files.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

const fs::path kImages = fs::path(SDX_TEST_DATA) / "images";

std::vector<std::string> start_from(const fs::path& file, const std::string& out) {
  return {"robot", "--init-image", file.string(), "--strength", "0.1",   "--steps",
          "10",    "--seed",       "3",           "--size",     "64x64", "--out",
          out,     "--quiet",      "--batch",     "1"};
}

fs::path only_file(const fs::path& folder) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    CHECK(found.empty());
    found = entry.path();
  }
  return found;
}

}  // namespace

TEST_CASE("formats: a start image gives the same in every lossless format") {
  const Workplace place;
  const auto make = [&place](const fs::path& file) {
    const std::string out = file.filename().string() + ".made";
    const RunResult result = place.run("sdx-generate", start_from(file, out));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return sdx::decode_image(only_file(place.path() / out)).image.rgb;
  };
  const auto as_png = make(kImages / "palette_bmp.golden.png");
  for (const char* file :
       {"palette.bmp", "rle8.bmp", "plain.gif", "interlaced.gif", "palette.tiff"}) {
    INFO(file);
    const bool is_same = make(kImages / file) == as_png;
    CHECK(is_same);
  }
  // Another one gives another picture, so that the above says something.
  const bool is_same_turned = make(kImages / "turned.heic") == as_png;
  CHECK_FALSE(is_same_turned);
}

TEST_CASE("formats: a folder of pictures from phones is learnt from") {
  const Workplace place;
  const fs::path folder = place.path() / "phone";
  fs::create_directory(folder);
  for (const char* file : {"p3.heic", "turned.heic", "grey16.tiff", "bits.bmp", "plain.avif"}) {
    fs::copy_file(kImages / file, folder / file);
  }
  fs::rename(folder / "plain.avif", folder / "misnamed.jpg");
  const RunResult result = place.run(
      "sdx-train", {"phone", "--name", "Ada", "--steps", "1", "--batch", "1", "--crop", "none"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  const std::string said = result.out + result.err;
  CHECK_THAT(said, ContainsSubstring("p3.heic") && ContainsSubstring("48x32"));
  CHECK_THAT(said, ContainsSubstring("32x48"));
  // That of the AVIF is the HEIC's scene, so it counts as a copy or is used; it is read in any
  // case.
  CHECK_THAT(said, !ContainsSubstring("damaged") && !ContainsSubstring("no picture"));
}

TEST_CASE("formats: damaged files and bombs end with 65 and say what is wrong") {
  const Workplace place;
  const auto refuse = [&place](const std::string& name, const std::string& bytes) {
    const fs::path file = place.path() / name;
    std::ofstream(file, std::ios::binary) << bytes;
    const RunResult result = place.run("sdx-generate", start_from(file, "made"));
    CHECK(result.exit_code == 65);
    CHECK_THAT(result.err, ContainsSubstring("--init-image") && ContainsSubstring(name));
    CHECK_FALSE(fs::exists(place.path() / "made"));
    return result.err;
  };
  const std::string avif = sdx::test::read_bytes(kImages / "plain.avif");
  CHECK_THAT(refuse("cut.avif", avif.substr(0, avif.size() / 2)), ContainsSubstring("AVIF"));
  std::string bomb = sdx::test::read_bytes(kImages / "square.heic");
  for (std::size_t at = bomb.find("ispe"); at != std::string::npos;
       at = bomb.find("ispe", at + 1)) {
    bomb.replace(at + 8, 8,
                 sdx::test::number_bytes(12000, 4, true) + sdx::test::number_bytes(12000, 4, true));
  }
  CHECK_THAT(refuse("bomb.heic", bomb), ContainsSubstring("too large: 12000x12000 pixels"));
  const std::string tiff = sdx::test::read_bytes(kImages / "lzw.tiff");
  CHECK_THAT(refuse("cut.tiff", tiff.substr(0, tiff.size() / 2)), ContainsSubstring("TIFF"));
  const std::string gif = sdx::test::read_bytes(kImages / "plain.gif");
  CHECK_THAT(refuse("cut.gif", gif.substr(0, gif.size() / 2)), ContainsSubstring("truncated"));
  const std::string bmp = sdx::test::read_bytes(kImages / "rgb24.bmp");
  CHECK_THAT(refuse("cut.bmp", bmp.substr(0, bmp.size() / 2)), ContainsSubstring("truncated"));
}

TEST_CASE("formats: where a library is missing, the message names its package") {
  const Workplace place;
  const fs::path libraries = place.path() / "lib";
  fs::create_directory(libraries);
  for (const char* file : {"libheif.so.1", "libtiff.so.6"}) std::ofstream(libraries / file) << "no";
  const auto refuse = [&](const char* file) {
    Run command = place.command("sdx-generate", start_from(kImages / file, "made"));
    command.prepare = [path = libraries.string()] { ::setenv("LD_LIBRARY_PATH", path.c_str(), 1); };
    const RunResult result = sdx::test::run(command);
    CHECK(result.exit_code == 65);
    return result.err;
  };
  CHECK_THAT(refuse("plain.heic"),
             ContainsSubstring("libheif1") && ContainsSubstring("libheif-plugin-libde265"));
  CHECK_THAT(refuse("plain.avif"), ContainsSubstring("libheif1"));
  CHECK_THAT(refuse("lzw.tiff"), ContainsSubstring("libtiff6"));
}

TEST_CASE("formats: what is only read is not offered for writing") {
  const Workplace place;
  for (const char* format : {"heic", "gif", "tiff", "jxl"}) {
    INFO(format);
    const RunResult result = place.run("sdx-generate", {"robot", "--format", format});
    CHECK(result.exit_code == 64);
    CHECK_THAT(result.err, ContainsSubstring("png, jpeg or webp"));
  }
  const RunResult help = place.run("sdx-generate", {"--help-all"});
  CHECK_THAT(help.out, !ContainsSubstring("heic"));
}
