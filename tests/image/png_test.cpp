#include "sdx/image/png.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <map>
#include <string>

#include "sdx/image/decode.h"
#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/child.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

using Texts = std::map<std::string, std::string>;

/// How often a chunk of this type stands in a PNG, found without the code under test.
int count_chunks(const std::string& bytes, const std::string& type) {
  int count = 0;
  std::size_t position = 8;
  while (position + 12 <= bytes.size()) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      length = 256 * length + static_cast<std::uint8_t>(bytes[position + i]);
    }
    if (bytes.compare(position + 4, 4, type) == 0) ++count;
    position += 12 + length;
  }
  CHECK(position == bytes.size());
  return count;
}

/// What is written for the texts, and checks that they are read back as `expected`.
std::string round_trip(const Texts& texts, const Texts& expected) {
  const TempFolder folder;
  const fs::path path = folder.file("a.png");
  const Image picture = busy_image(12, 8);
  write_png(path, picture, texts);
  CHECK(read_png_texts(path) == expected);
  CHECK(decode_image(path).image.rgb == picture.rgb);
  return read_bytes(path);
}

Texts list_texts(const std::string& chunks_before, const std::string& chunks_after = "") {
  const TempFolder folder;
  return read_png_texts(
      folder.file("a.png", png_bytes(busy_image(4, 4), chunks_before, chunks_after)));
}

std::string text_refusal(const std::string& bytes) {
  const TempFolder folder;
  const fs::path path = folder.file("a.png", bytes);
  const std::string message = catch_message<DataError>([&] { read_png_texts(path); });
  CHECK(contains(message, path.string()));
  return message;
}

}  // namespace

TEST_CASE("image: a PNG is written and read back exactly", "[image]") {
  const TempFolder folder;
  const fs::path path = folder.file("a.png");
  for (const Image& picture : {busy_image(64, 48), plain_image(1, 1, {1, 2, 3})}) {
    write_png(path, picture);
    const DecodedImage read = decode_image(path);
    CHECK(read.image.width_px == picture.width_px);
    CHECK(read.image.height_px == picture.height_px);
    CHECK(read.image.rgb == picture.rgb);
  }
  CHECK(entries_in(folder.path()) == 1);
  CHECK(read_png_texts(path).empty());
}

TEST_CASE("image: a PNG is private", "[image]") {
  const TempFolder folder;
  write_png(folder.file("a.png"), busy_image(4, 4));
  CHECK(fs::status(folder.file("a.png")).permissions() == fs::perms(0600));
}

TEST_CASE("image: a PNG's bytes depend on what is written alone", "[image]") {
  const TempFolder folder;
  const Image picture = busy_image(64, 48);
  const Texts texts = {{"parameters", "a portrait of <Ada>\nSteps: 20"}, {"Title", "Übung"}};
  write_png(folder.file("a.png"), picture, texts);
  write_png(folder.file("b.png"), picture, texts);
  const std::string bytes = read_bytes(folder.file("a.png"));
  CHECK(bytes == read_bytes(folder.file("b.png")));
  CHECK(count_chunks(bytes, "tIME") == 0);
  CHECK(count_chunks(bytes, "IHDR") == 1);
  CHECK(count_chunks(bytes, "tEXt") == 2);
  // 8 bits, RGB, not interlaced.
  CHECK(bytes.substr(24, 5) == std::string("\x08\x02\x00\x00\x00", 5));
}

TEST_CASE("image: a Latin-1 text becomes tEXt", "[image]") {
  const Texts texts = {{"parameters", "a b\nc"}, {"Title", "Grüße aus Ñuñoa ÿ ¡"}, {"Empty", ""}};
  const std::string bytes = round_trip(texts, texts);
  CHECK(count_chunks(bytes, "tEXt") == 3);
  CHECK(count_chunks(bytes, "iTXt") == 0);
  CHECK(contains(bytes, std::string("tEXtTitle\0Gr\xFC\xDF"
                                    "e aus ",
                                    20)));
}

TEST_CASE("image: UTF-8 where Latin-1 belongs is read as UTF-8", "[image]") {
  const auto read = [](const std::string& type, const std::string& text) {
    const std::string between = type == "zTXt" ? std::string(2, '\0') : std::string(1, '\0');
    const std::string data = type == "zTXt" ? zlib_bytes(text) : text;
    return list_texts(png_chunk(type, "parameters" + between + data)).at("parameters");
  };
  for (const std::string type : {"tEXt", "zTXt"}) {
    INFO(type);
    CHECK(read(type, "robot 猫 für Zoë 😀") == "robot 猫 für Zoë 😀");
    CHECK(read(type, "f\xFCr Zo\xEB") == "für Zoë");
    CHECK(read(type, "f\xFCr \xC3\xBC") == "für Ã¼");  // both: no UTF-8
    CHECK(read(type, "plain") == "plain");
    CHECK(read(type, "\xC3") == "Ã");  // cut off: no UTF-8
  }
  // What would be taken for UTF-8 is written as what it is.
  const Texts texts = {{"parameters", "Ã¼ and Â«"}};
  CHECK(count_chunks(round_trip(texts, texts), "iTXt") == 1);
}

TEST_CASE("image: another text becomes iTXt", "[image]") {
  const Texts texts = {{"parameters", "портрет — 肖像 😀"}, {"Title", "Ā"}, {"plain", "x"}};
  const std::string bytes = round_trip(texts, texts);
  CHECK(count_chunks(bytes, "tEXt") == 1);
  CHECK(count_chunks(bytes, "iTXt") == 2);
  CHECK(contains(bytes, "портрет — 肖像 😀"));
}

TEST_CASE("image: XMP is always iTXt, uncompressed", "[image]") {
  const Texts texts = {{"XML:com.adobe.xmp", "<x:xmpmeta/>"}};
  const std::string bytes = round_trip(texts, texts);
  CHECK(count_chunks(bytes, "iTXt") == 1);
  CHECK(contains(bytes, std::string("iTXtXML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>", 38)));
}

TEST_CASE("image: a long text stays whole", "[image]") {
  const Texts texts = {{"parameters", std::string(200000, 'x')}, {"more", [] {
                                                                    std::string text;
                                                                    for (int i = 0; i < 50000; ++i)
                                                                      text += "й";
                                                                    return text;
                                                                  }()}};
  round_trip(texts, texts);
}

TEST_CASE("image: what is not UTF-8 or NUL is replaced", "[image]") {
  round_trip({{"a", "x\xFFy"}}, {{"a", "x\xEF\xBF\xBDy"}});
  round_trip({{"a", std::string("x\0y", 3)}}, {{"a", "x\xEF\xBF\xBDy"}});
  round_trip({{"a", "cut \xC3"}}, {{"a", "cut \xEF\xBF\xBD"}});
  round_trip({{"a", "overlong \xC0\xAF"}}, {{"a", "overlong \xEF\xBF\xBD\xEF\xBF\xBD"}});
  round_trip({{"a", "surrogate \xED\xA0\x80."}},
             {{"a", "surrogate \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD."}});
}

TEST_CASE("image: an impossible keyword or picture is a mistake of ours", "[image]") {
  const TempFolder folder;
  const fs::path path = folder.file("a.png");
  const Image picture = busy_image(4, 4);
  for (const std::string& keyword :
       {std::string(), std::string(80, 'k'), std::string(" a"), std::string("a "),
        std::string("a  b"), std::string("a\nb"), std::string("ü"), std::string("a\0b", 3)}) {
    CHECK_THROWS_AS(write_png(path, picture, {{keyword, "text"}}), InternalError);
  }
  write_png(path, picture, {{std::string(79, 'k'), "text"}});
  fs::remove(path);
  CHECK_THROWS_AS(write_png(path, Image()), InternalError);
  Image wrong = picture;
  wrong.rgb.pop_back();
  CHECK_THROWS_AS(write_png(path, wrong), InternalError);
  CHECK(entries_in(folder.path()) == 0);
}

TEST_CASE("image: a PNG that cannot be written is refused as its file is", "[image]") {
  const TempFolder folder;
  const Image picture = busy_image(4, 4);
  CHECK_THROWS_AS(write_png(folder.file("no") / "a.png", picture), CannotCreateError);
  fs::permissions(folder.path(), fs::perms(0755));
  if (::geteuid() == 0) {
    CHECK(run_for_exit_code([&] {
            become_nobody();
            write_png(folder.file("a.png"), picture);
            return 0;
          }) == 77);
  }
  CHECK(entries_in(folder.path()) == 0);
}

TEST_CASE("image: a PNG that could not be written whole leaves the older one", "[image]") {
  const TempFolder folder;
  const fs::path path = folder.file("a.png", "old");
  CHECK(run_for_exit_code([&] {
          std::signal(SIGXFSZ, SIG_IGN);
          const rlimit limit{1000, 1000};
          if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
          write_png(path, busy_image(200, 200));
          return 0;
        }) == 74);
  CHECK(read_bytes(path) == "old");
}

TEST_CASE("image: the texts of other programs are read", "[image]") {
  // Before and after the pixels, in all three kinds.
  CHECK(list_texts(png_chunk("tEXt", std::string("one\0\xE4", 5)),
                   png_chunk("tEXt", std::string("two\0x", 5))) ==
        Texts{{"one", "ä"}, {"two", "x"}});
  CHECK(list_texts(png_chunk("zTXt", std::string("packed\0\0", 8) + zlib_bytes("caf\xE9"))) ==
        Texts{{"packed", "café"}});
  CHECK(list_texts(png_chunk("iTXt", std::string("a\0\0\0de\0Titel\0", 13) + "žluť")) ==
        Texts{{"a", "žluť"}});
  CHECK(list_texts(png_chunk("iTXt", std::string("a\0\1\0\0\0", 6) + zlib_bytes("žluťoučký"))) ==
        Texts{{"a", "žluťoučký"}});
  // Of two with one keyword the first counts.
  CHECK(list_texts(png_chunk("tEXt", std::string("a\0first", 7)) +
                   png_chunk("tEXt", std::string("a\0second", 8))) == Texts{{"a", "first"}});
}

TEST_CASE("image: a damaged PNG has no texts", "[image]") {
  const std::string whole = png_bytes(busy_image(4, 4), png_chunk("tEXt", std::string("a\0b", 3)));
  CHECK(contains(text_refusal("a text"), "not a PNG"));
  CHECK(contains(text_refusal(""), "not a PNG"));
  CHECK(contains(text_refusal(whole.substr(0, whole.size() - 5)), "truncated"));
  std::string flipped = whole;
  const std::size_t text = flipped.find("tEXt") + 6;
  flipped[text] = 'c';
  CHECK(contains(text_refusal(flipped), "checksum"));
  const auto with = [](const std::string& chunk) { return png_bytes(busy_image(4, 4), chunk); };
  CHECK(contains(text_refusal(with(png_chunk("tEXt", "no end"))), "incomplete"));
  CHECK(contains(text_refusal(with(png_chunk("iTXt", std::string("a\0\0", 3)))), "incomplete"));
  CHECK(contains(text_refusal(with(png_chunk("iTXt", std::string("a\0\0\0de", 6)))), "incomplete"));
  CHECK(contains(text_refusal(with(png_chunk("zTXt", std::string("a\0", 2)))), "incomplete"));
  CHECK(contains(text_refusal(with(png_chunk("zTXt", std::string("a\0\0nonsense", 11)))),
                 "cannot be unpacked"));
  const std::string packed = zlib_bytes("a text");
  CHECK(contains(text_refusal(with(png_chunk(
                     "zTXt", std::string("a\0\0", 3) + packed.substr(0, packed.size() - 5)))),
                 "cannot be unpacked"));
}

TEST_CASE("image: a text that is a bomb is refused", "[image]") {
  const std::string bomb = zlib_bytes(std::string(std::size_t{64} << 20U, 'x'));
  CHECK(bomb.size() < 100000);
  CHECK(contains(
      text_refusal(png_bytes(busy_image(4, 4), png_chunk("zTXt", std::string("a\0\0", 3) + bomb))),
      "too long"));
}

TEST_CASE("image: many texts that are a bomb together are refused", "[image]") {
  // Each is a text that is read when it stands alone.
  const std::string packed = zlib_bytes(std::string(std::size_t{3} << 20U, 'a'));
  const auto text = [&packed](const std::string& keyword) {
    return png_chunk("zTXt", keyword + std::string(2, '\0') + packed) +
           png_chunk("iTXt", keyword + "2" + std::string("\0\1\0\0\0", 5) + packed);
  };
  CHECK(list_texts(text("a")).size() == 2);
  CHECK(contains(text_refusal(png_bytes(busy_image(4, 4), text("a") + text("b"))), "too long"));
}

TEST_CASE("image: reading texts fails as reading files does", "[image]") {
  const TempFolder folder;
  CHECK_THROWS_AS(read_png_texts(folder.file("no.png")), MissingInputError);
  CHECK_THROWS_AS(read_png_texts(folder.path()), DataError);
  CHECK_THROWS_AS(read_png_texts("/proc/self/mem"), IoError);
}
