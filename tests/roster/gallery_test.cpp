#include "sdx/roster/gallery.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "sdx/image/decode.h"
#include "sdx/image/png.h"
#include "sdx/image/write.h"
#include "sdx/util/base64.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::Gallery;
using sdx::GalleryImage;
using sdx::test::catch_message;
using sdx::test::contains;
using sdx::test::read_bytes;
using sdx::test::TempFolder;

namespace {

GalleryImage make_image(const TempFolder& team, const fs::path& file, int width, int height) {
  fs::create_directories((team.path() / file).parent_path());
  sdx::write_png(team.path() / file, sdx::test::busy_image(width, height));
  return {file, {"Ada"}, "Robot <Ada>", "", 7, "Euler, 20 steps", width, height};
}

Gallery make_gallery(std::vector<GalleryImage> images) {
  return {"The crew", {{"Ada", "likeness 0.93 after 125 steps"}}, std::move(images)};
}

/// The text between two marks of the page.
std::string between(const std::string& page, const std::string& from, const std::string& to) {
  const std::size_t begin = page.find(from);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = page.find(to, begin + from.size());
  REQUIRE(end != std::string::npos);
  return page.substr(begin + from.size(), end - begin - from.size());
}

sdx::Json read_data(const std::string& page) {
  return sdx::Json::parse(
      between(page, "<script type=\"application/json\" id=\"data\">", "</script>"));
}

unsigned read_mode(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

}  // namespace

TEST_CASE("gallery: the page holds everyone and what every picture was made from", "[roster]") {
  const TempFolder team;
  GalleryImage gallery_image = make_image(team, "pictures/Ada/robot.png", 40, 30);
  gallery_image.negative_prompt = "red";
  gallery_image.seed = UINT64_MAX;
  Gallery gallery = make_gallery({gallery_image});
  gallery.people.push_back({"Ben", "no face in any of 3 portraits"});

  const fs::path file = sdx::write_gallery(team.path(), gallery);
  CHECK(file == team.path() / "index.html");
  CHECK(read_mode(file) == 0600);
  const std::string page = read_bytes(file);
  CHECK(read_data(page) == sdx::Json::parse(R"({"people": [
            {"name": "Ada", "note": "likeness 0.93 after 125 steps"},
            {"name": "Ben", "note": "no face in any of 3 portraits"}],
          "pictures": [{"file": "pictures/Ada/robot.png", "names": ["Ada"],
            "prompt": "Robot <Ada>", "negative": "red", "seed": "18446744073709551615",
            "settings": "Euler, 20 steps", "width": 40, "height": 30}]})"));
  CHECK(
      contains(between(page, "<noscript>", "</noscript>"),
               "<h2>Ada</h2>\n<p>likeness 0.93 after 125 steps</p>\n<ul>\n<li><a "
               "href=\"pictures/Ada/robot.png\">Robot &lt;Ada&gt;</a></li>\n</ul>\n<h2>Ben</h2>"));
  CHECK(contains(page, "content=\"default-src 'none'; img-src 'self' file:; style-src 'sha256-"));
  CHECK(contains(page, "connect-src 'self'; "));
  CHECK(!contains(page, team.path().string()));
  CHECK(!contains(page, "://"));  // nothing from anywhere else
  CHECK(!contains(page, "{{"));
}

TEST_CASE("gallery: names, prompts and file names are text, whatever they hold", "[roster]") {
  const TempFolder team;
  const std::string prompt =
      "</script><!--<script> \"<Zo\u00eb>\" & {{script}} \u2028 \U0001f984\nsecond \xff line";
  GalleryImage gallery_image = make_image(team, "pictures/a b/50% #1? \"ü\".png", 8, 8);
  gallery_image.names = {"<i>", "Zo\u00eb"};
  gallery_image.prompt = prompt;
  Gallery gallery = make_gallery({gallery_image});
  gallery.title = "<b>\"Us\" & {{data}}</b>";
  gallery.people[0].name = "O'Neill & <Co>";

  const std::string page = read_bytes(sdx::write_gallery(team.path(), gallery));
  const sdx::Json data = read_data(page);
  CHECK(data["pictures"][0]["file"] == "pictures/a%20b/50%25%20%231%3F%20%22%C3%BC%22.png");
  const std::string shown = data["pictures"][0]["prompt"];
  CHECK(shown == prompt.substr(0, prompt.find('\xff')) + "\uFFFD line");
  CHECK(contains(page, "<title>&lt;b&gt;&quot;Us&quot; &amp; {{data}}&lt;/b&gt;</title>"));
  const std::string list = between(page, "<noscript>", "</noscript>");
  CHECK(contains(list, "<h2>O&#39;Neill &amp; &lt;Co&gt;</h2>"));
  CHECK(contains(list, "<h2>Other pictures</h2>\n<ul>\n<li><a href=\"pictures/a%20b/50%25"));
  CHECK(contains(list, "&lt;/script&gt;&lt;!--"));
  const std::string json = between(page, "id=\"data\">", "</script>");
  CHECK(!contains(json, "<"));
  CHECK(!contains(json, "\u2028"));
}

TEST_CASE("gallery: a picture larger than a thumbnail gets one, once", "[roster]") {
  const TempFolder team;
  const fs::path wide = "pictures/Ada/w#.png";
  const Gallery gallery = make_gallery({make_image(team, "pictures/Ada/small.png", 384, 384),
                                        make_image(team, wide, 768, 512),
                                        make_image(team, "pictures/high.png", 10, 900)});

  const sdx::Json data = read_data(read_bytes(sdx::write_gallery(team.path(), gallery)));
  CHECK(!data["pictures"][0].contains("thumbnail"));
  CHECK(data["pictures"][1]["thumbnail"] == "thumbnails/pictures/Ada/w%23.png.webp");
  CHECK(!fs::exists(team.path() / "thumbnails/pictures/Ada/small.png.webp"));

  const fs::path thumbnail = team.path() / "thumbnails/pictures/Ada/w#.png.webp";
  CHECK(read_mode(thumbnail) == 0600);
  CHECK(read_mode(team.path() / "thumbnails/pictures") == 0700);
  const sdx::Image image = sdx::decode_image(thumbnail).image;
  CHECK(image.width_px == 384);
  CHECK(image.height_px == 256);
  const sdx::Image narrow =
      sdx::decode_image(team.path() / "thumbnails/pictures/high.png.webp").image;
  CHECK(narrow.width_px == 4);
  CHECK(narrow.height_px == 384);

  fs::remove(team.path() / wide);
  team.file("thumbnails/pictures/Ada/w#.png.webp", "not made again");
  sdx::write_gallery(team.path(), gallery);
  CHECK(read_bytes(thumbnail) == "not made again");
}

TEST_CASE("gallery: thumbnails go with their pictures, and nothing else goes", "[roster]") {
  const TempFolder team;
  const Gallery both = make_gallery({make_image(team, "pictures/Ada/large.png", 400, 400),
                                     make_image(team, "pictures/Ben/large.png", 400, 400)});
  sdx::write_gallery(team.path(), both);
  sdx::write_gallery(team.path(), make_gallery({both.images[0]}));
  CHECK(fs::exists(team.path() / "thumbnails/pictures/Ada/large.png.webp"));
  CHECK(!fs::exists(team.path() / "thumbnails/pictures/Ben"));
  CHECK(fs::exists(team.path() / "pictures/Ben/large.png"));

  sdx::write_gallery(team.path(), make_gallery({}));
  CHECK(sdx::test::entries_in(team.path() / "thumbnails") == 0);

  // A folder elsewhere must not be emptied.
  const TempFolder elsewhere;
  elsewhere.file("precious.webp", "x");
  fs::remove(team.path() / "thumbnails");
  fs::create_directory_symlink(elsewhere.path(), team.path() / "thumbnails");
  CHECK(contains(catch_message<sdx::DataError>([&] { sdx::write_gallery(team.path(), both); }),
                 "is a link"));
  CHECK(fs::exists(elsewhere.file("precious.webp")));
  fs::remove(team.path() / "thumbnails");
  fs::create_directory(team.path() / "thumbnails");
  fs::create_directory_symlink(elsewhere.path(), team.path() / "thumbnails" / "link");
  sdx::write_gallery(team.path(), both);
  CHECK(fs::exists(elsewhere.file("precious.webp")));
  CHECK(!fs::exists(team.path() / "thumbnails" / "link"));
}

TEST_CASE("gallery: the same gallery gives the same bytes in any folder", "[roster]") {
  const TempFolder here;
  const TempFolder there;
  std::vector<std::string> pages;
  std::vector<std::string> thumbnails;
  for (const TempFolder* team : {&here, &there, &there}) {
    const Gallery gallery = make_gallery({make_image(*team, "pictures/Ada/large.png", 500, 300)});
    pages.push_back(read_bytes(sdx::write_gallery(team->path(), gallery)));
    thumbnails.push_back(read_bytes(team->path() / "thumbnails/pictures/Ada/large.png.webp"));
  }
  CHECK(pages[0] == pages[1]);
  CHECK(pages[1] == pages[2]);
  CHECK(thumbnails[0] == thumbnails[1]);
}

TEST_CASE("gallery: a damaged or missing picture costs nobody the page", "[roster]") {
  const TempFolder team;
  Gallery gallery = make_gallery({make_image(team, "pictures/good.png", 400, 400),
                                  make_image(team, "pictures/bad.png", 400, 400),
                                  make_image(team, "pictures/gone.png", 400, 400)});
  team.file("pictures/bad.png", "no picture");
  fs::remove(team.path() / "pictures/gone.png");
  const sdx::Json data = read_data(read_bytes(sdx::write_gallery(team.path(), gallery)));
  REQUIRE(data["pictures"].size() == 3);
  CHECK(data["pictures"][0].contains("thumbnail"));
  CHECK(!data["pictures"][1].contains("thumbnail"));
  CHECK(!data["pictures"][2].contains("thumbnail"));
}

TEST_CASE("gallery: a person's page holds that person's pictures and nothing of anybody else",
          "[roster]") {
  const TempFolder team;
  const auto add = [&](const std::string& file, std::vector<std::string> names,
                       const std::string& prompt) {
    GalleryImage image = make_image(team, file, 40, 30);
    image.names = std::move(names);
    image.prompt = prompt;
    return image;
  };
  Gallery gallery = make_gallery(
      {add("pictures/Ada/robot.png", {"Ada"}, "Robot <Ada>"),
       add("pictures/Ada/twice.png", {"Ada", "Ada"}, "<Ada> beside <Ada>"),
       add("pictures/Benedikta/robot.png", {"Benedikta"}, "Robot <Benedikta>"),
       add("pictures/Ada Benedikta/sea.png", {"Ada", "Benedikta"}, "<Ada> and <Benedikta> at sea"),
       add("pictures/nobody.png", {}, "a lighthouse"),
       add("pictures/Ada/not.png", {"Ada"}, "<Ada> alone")});
  gallery.images[5].negative_prompt = "<Benedikta>";
  gallery.title = "The secret project";
  gallery.people.push_back(
      {"Benedikta", "likeness 0.81", "gallery-portraits/Benedikta/portrait.webp"});
  gallery.people[0].portrait = "gallery-portraits/Ada/portrait.webp";
  team.file("pictures/Ada/gone.png", "");
  for (const char* name : {"Ada", "Benedikta"}) {
    const fs::path place = team.path() / "gallery-portraits" / name;
    fs::create_directories(place);
    sdx::write_image(place / "portrait.webp", sdx::test::busy_image(16, 16),
                     {sdx::ImageFormat::kWebp}, {});
  }

  const fs::path file = team.path() / "ada.html";
  CHECK(sdx::write_person_page(team.path(), gallery, "Ada", file) == 2);
  CHECK(read_mode(file) == 0600);
  const std::string page = read_bytes(file);
  CHECK(!contains(page, "Benedikta"));
  CHECK(!contains(page, "secret"));
  CHECK(!contains(page, "lighthouse"));
  CHECK(!contains(page, team.path().string()));
  CHECK(contains(page, "img-src data:; "));
  CHECK(contains(page, "connect-src 'none'; "));
  CHECK(contains(page, "<title>Ada</title>"));
  const sdx::Json data = read_data(page);
  CHECK(data["person"] == "Ada");
  CHECK(data["people"].size() == 1);
  CHECK(data["people"][0]["note"] == "likeness 0.93 after 125 steps");
  CHECK(data["people"][0]["portrait"] ==
        "data:image/webp;base64," +
            sdx::to_base64(read_bytes(team.path() / "gallery-portraits/Ada/portrait.webp")));
  REQUIRE(data["pictures"].size() == 2);
  CHECK(data["pictures"][1]["prompt"] == "<Ada> beside <Ada>");
  CHECK(data["pictures"][0]["address"] ==
        "data:image/png;base64," +
            sdx::to_base64(read_bytes(team.path() / "pictures/Ada/robot.png")));
  CHECK(!data["pictures"][0].contains("thumbnail"));

  // The same page again; then without a picture that is gone or none.
  sdx::write_person_page(team.path(), gallery, "Ada", file);
  CHECK(read_bytes(file) == page);
  team.file("pictures/Ada/robot.png", "no picture");
  fs::remove(team.path() / "pictures/Ada/twice.png");
  CHECK(sdx::write_person_page(team.path(), gallery, "Ada", file) == 0);
  CHECK(contains(catch_message<sdx::MissingInputError>(
                     [&] { sdx::write_person_page(team.path(), gallery, "Eve", file); }),
                 "nobody called \"Eve\""));
}

TEST_CASE("gallery: a portrait is shown only for those who have one in the gallery", "[roster]") {
  const TempFolder team;
  Gallery gallery = make_gallery({make_image(team, "pictures/Ada/robot.png", 40, 30)});
  gallery.people.push_back({"Ben", ""});
  gallery.people[1].portrait = "gallery-portraits/B\u00e9n/portrait.webp";
  const sdx::Json data = read_data(read_bytes(sdx::write_gallery(team.path(), gallery)));
  CHECK(!data["people"][0].contains("portrait"));
  CHECK(data["people"][1]["portrait"] == "gallery-portraits/B%C3%A9n/portrait.webp");
  gallery.people[1].portrait = "../portraits/ben/1.jpg";
  CHECK(contains(catch_message<sdx::DataError>([&] { sdx::write_gallery(team.path(), gallery); }),
                 "not named by a path within the team's folder"));
}

TEST_CASE("gallery: only files within the team's folder are shown", "[roster]") {
  const TempFolder team;
  for (const char* file : {"../other/x.png", "pictures/../../x.png", "/etc/x.png", ""}) {
    GalleryImage gallery_image;
    gallery_image.file = file;
    CHECK(contains(catch_message<sdx::DataError>(
                       [&] { sdx::write_gallery(team.path(), make_gallery({gallery_image})); }),
                   "not named by a path within the team's folder"));
  }
  CHECK(!fs::exists(team.path() / "index.html"));
  CHECK(contains(catch_message<sdx::MissingInputError>(
                     [&] { sdx::write_gallery(team.path() / "nowhere", make_gallery({})); }),
                 "nowhere is not there"));
}

TEST_CASE("gallery: a part of the page that is missing or wrong is named", "[roster]") {
  const TempFolder team;
  const TempFolder data;
  const std::string before = std::getenv("SDX_DATA") == nullptr ? "" : std::getenv("SDX_DATA");
  ::setenv("SDX_DATA", data.path().c_str(), 1);
  fs::create_directory(data.path() / "gallery");
  const auto write = [&] { sdx::write_gallery(team.path(), make_gallery({})); };
  CHECK(contains(catch_message<sdx::MissingInputError>(write), "gallery/style.css"));
  data.file("gallery/style.css", "");
  data.file("gallery/script.js", "");
  data.file("gallery/index.html", "<title>{{titel}}</title>");
  CHECK(
      contains(catch_message<sdx::DataError>(write), "index.html: unknown placeholder {{titel}}"));
  data.file("gallery/index.html", "{{style_hash}} {{title}} }} {{");
  write();
  // The hash of no text, by another program.
  CHECK(read_bytes(team.path() / "index.html") ==
        "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' The crew }} {{");
  if (before.empty()) {
    ::unsetenv("SDX_DATA");
  } else {
    ::setenv("SDX_DATA", before.c_str(), 1);
  }

  team.file("thumbnails", "a file");
  CHECK(contains(catch_message<sdx::IoError>(write), "thumbnails"));
}
