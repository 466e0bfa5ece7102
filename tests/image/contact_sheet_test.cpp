#include "sdx/image/contact_sheet.h"

#include <algorithm>
#include <string>
#include <vector>

#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/image_files.h"

using namespace sdx;
using namespace sdx::test;

namespace {

/// The box around all pixels of a colour; empty if there is none.
Rect find_box(const Image& image, Colour colour) {
  int left = image.width_px;
  int top = image.height_px;
  int right = -1;
  int bottom = -1;
  for (int y = 0; y < image.height_px; ++y) {
    for (int x = 0; x < image.width_px; ++x) {
      if (!is_near(colour_at(image, x, y), colour, 0)) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = std::max(bottom, y);
    }
  }
  if (right < 0) return {};
  return {left, top, right - left + 1, bottom - top + 1};
}

/// The box around what is dark: the letters, where the pictures are not dark.
Rect box_of_text(const Image& image) {
  Image marked(image.width_px, image.height_px);
  for (int y = 0; y < image.height_px; ++y) {
    for (int x = 0; x < image.width_px; ++x) {
      const Colour colour = colour_at(image, x, y);
      const bool grey = colour.red == colour.green && colour.green == colour.blue;
      if (grey && colour.red < 150) set_colour(marked, x, y, {255, 255, 255});
    }
  }
  return find_box(marked, {255, 255, 255});
}

SheetCell cell(Colour colour, const std::string& label = "", int width = 32, int height = 32) {
  return {plain_image(width, height, colour), label};
}

bool same(const Image& a, const Image& b) {
  return a.width_px == b.width_px && a.height_px == b.height_px && a.rgb == b.rgb;
}

/// A sheet of one picture with this label.
Image labelled(const std::string& label) { return contact_sheet({cell(kRed, label)}, 1, 256); }

}  // namespace

TEST_CASE("image: a contact sheet has its pictures in rows", "[image]") {
  const Image sheet =
      contact_sheet({cell(kRed), cell(kGreen), cell(kBlue), cell(kYellow), cell({1, 2, 3})}, 2, 64);
  const std::vector<Rect> boxes = {find_box(sheet, kRed), find_box(sheet, kGreen),
                                   find_box(sheet, kBlue), find_box(sheet, kYellow),
                                   find_box(sheet, {1, 2, 3})};
  for (const Rect& box : boxes) {
    CHECK(box.width_px == 64);
    CHECK(box.height_px == 64);
  }
  CHECK(boxes[0].y_px == boxes[1].y_px);
  CHECK(boxes[2].y_px == boxes[3].y_px);
  CHECK(boxes[0].x_px == boxes[2].x_px);
  CHECK(boxes[2].x_px == boxes[4].x_px);
  CHECK(boxes[1].x_px == boxes[3].x_px);
  // The same gap everywhere.
  const int gap = boxes[0].x_px;
  CHECK(gap > 0);
  CHECK(boxes[0].y_px == gap);
  CHECK(boxes[1].x_px == gap + 64 + gap);
  CHECK(boxes[2].y_px == gap + 64 + gap);
  CHECK(sheet.width_px == gap + 2 * (64 + gap));
  CHECK(sheet.height_px == gap + 3 * (64 + gap));
  // A light ground.
  CHECK(colour_at(sheet, 0, 0).red > 230);
}

TEST_CASE("image: a contact sheet is as square as it gets", "[image]") {
  const auto count_columns = [](std::size_t count) {
    const Image sheet = contact_sheet(std::vector<SheetCell>(count, cell(kRed)), 0, 64);
    const int gap = find_box(sheet, kRed).x_px;
    return (sheet.width_px - gap) / (64 + gap);
  };
  CHECK(count_columns(1) == 1);
  CHECK(count_columns(2) == 2);
  CHECK(count_columns(4) == 2);
  CHECK(count_columns(5) == 3);
  CHECK(count_columns(9) == 3);
  CHECK(count_columns(10) == 4);
}

TEST_CASE("image: a contact sheet says where its pictures are", "[image]") {
  const sdx::ContactSheet sheet = sdx::draw_contact_sheet(
      {cell(kRed), cell(kGreen, "two words", 100, 50), cell(kBlue), cell(kYellow, "", 20, 30)}, 2,
      64);
  REQUIRE(sheet.places.size() == 4);
  const auto lies_at = [](const Rect& one, const Rect& other) {
    return one.x_px == other.x_px && one.y_px == other.y_px && one.width_px == other.width_px &&
           one.height_px == other.height_px;
  };
  CHECK(lies_at(sheet.places[0], find_box(sheet.image, kRed)));
  CHECK(lies_at(sheet.places[1], find_box(sheet.image, kGreen)));
  CHECK(lies_at(sheet.places[2], find_box(sheet.image, kBlue)));
  CHECK(lies_at(sheet.places[3], find_box(sheet.image, kYellow)));
  const Image row = contact_sheet({cell(kRed, "a"), cell(kGreen, "b"), cell(kBlue, "c")}, 3, 64);
  CHECK(lies_at(sdx::place_in_first_row(0, 64), find_box(row, kRed)));
  CHECK(lies_at(sdx::place_in_first_row(2, 64), find_box(row, kBlue)));
}

TEST_CASE("image: a contact sheet has no empty columns", "[image]") {
  CHECK(same(contact_sheet({cell(kRed), cell(kBlue)}, 5, 64),
             contact_sheet({cell(kRed), cell(kBlue)}, 2, 64)));
}

TEST_CASE("image: pictures keep their shape on a contact sheet", "[image]") {
  const Image sheet = contact_sheet({cell(kRed, "", 100, 50), cell(kBlue, "", 20, 30),
                                     cell(kGreen, "", 10, 100), cell(kYellow, "", 1, 1)},
                                    4, 64);
  const Rect wide = find_box(sheet, kRed);
  CHECK(wide.width_px == 64);
  CHECK(wide.height_px == 32);
  const Rect high = find_box(sheet, kBlue);
  CHECK(high.width_px == 64);
  CHECK(high.height_px == 96);
  // At most twice as high as the cell is wide, and then in its middle.
  const Rect strip = find_box(sheet, kGreen);
  CHECK(strip.height_px == 128);
  CHECK(strip.width_px == 13);
  const Rect dot = find_box(sheet, kYellow);
  CHECK(dot.width_px == 64);
  // They stand on one line, under which the labels are.
  CHECK(wide.y_px + wide.height_px == strip.y_px + strip.height_px);
  CHECK(high.y_px + high.height_px == dot.y_px + dot.height_px);
}

TEST_CASE("image: an enlarged picture keeps sharp pixels", "[image]") {
  Image two(2, 1);
  set_colour(two, 0, 0, kRed);
  set_colour(two, 1, 0, kBlue);
  const Image sheet = contact_sheet({{two, ""}}, 1, 64);
  CHECK(find_box(sheet, kRed).width_px == 32);
  CHECK(find_box(sheet, kBlue).width_px == 32);
}

TEST_CASE("image: a cell without a picture keeps its place", "[image]") {
  const Image sheet = contact_sheet({cell(kRed), {Image(), "failed"}, cell(kBlue)}, 3, 64);
  const int gap = find_box(sheet, kRed).x_px;
  CHECK(find_box(sheet, kBlue).x_px == gap + 2 * (64 + gap));
}

TEST_CASE("image: a contact sheet without pictures is an empty sheet", "[image]") {
  const Image sheet = contact_sheet({}, 0, 64);
  CHECK(sheet.width_px > 64);
  CHECK(sheet.height_px > 0);
}

TEST_CASE("image: a contact sheet of an impossible size is a mistake of ours", "[image]") {
  CHECK_THROWS_AS(contact_sheet({cell(kRed)}, -1), InternalError);
  CHECK_THROWS_AS(contact_sheet({cell(kRed)}, 1, 0), InternalError);
}

TEST_CASE("image: a label stands under its picture, in the cell, in dark grey", "[image]") {
  const Image sheet = contact_sheet({cell(kRed, "Ada Lovelace"), cell(kBlue)}, 2, 256);
  const Rect picture = find_box(sheet, kRed);
  const Rect text = box_of_text(sheet);
  REQUIRE(text.width_px > 40);
  CHECK(text.y_px >= picture.y_px + picture.height_px);
  CHECK(text.x_px >= picture.x_px);
  CHECK(text.x_px + text.width_px <= picture.x_px + picture.width_px);
  CHECK(text.height_px >= 8);
  CHECK(text.y_px + text.height_px <= sheet.height_px);
  // The picture itself is untouched.
  CHECK(picture.width_px == 256);
  CHECK(picture.height_px == 256);
  int darkest = 255;
  for (int x = text.x_px; x < text.x_px + text.width_px; ++x) {
    for (int y = text.y_px; y < text.y_px + text.height_px; ++y) {
      darkest = std::min(darkest, colour_at(sheet, x, y).red);
    }
  }
  CHECK(darkest < 100);
  CHECK(darkest > 20);
}

TEST_CASE("image: a long label is wrapped at words to two lines and then cut", "[image]") {
  const int none = labelled("").height_px;
  const int one = labelled("one line").height_px;
  const int two = labelled("one line that is too long to be one in this cell").height_px;
  CHECK(one > none);
  CHECK(two - none == 2 * (one - none));
  std::string endless;
  for (int i = 0; i < 100; ++i) endless += "word ";
  const Image cut = labelled(endless);
  CHECK(cut.height_px == two);
  const Rect text = box_of_text(cut);
  CHECK(text.x_px >= 16);
  CHECK(text.x_px + text.width_px <= 16 + 256);
  // It ends in dots: what is left out beyond them does not matter.
  CHECK(same(cut, labelled(endless + "and more")));
  // Wrapped at a word: blanks do not matter either.
  CHECK(same(labelled("one  line\n that"), labelled(" one line that ")));
}

TEST_CASE("image: a word that is too long for a line is broken", "[image]") {
  const int one = labelled("x").height_px;
  const Image broken = labelled(std::string(40, 'm'));
  CHECK(broken.height_px > one);
  const Rect text = box_of_text(broken);
  CHECK(text.x_px + text.width_px <= 16 + 256);
  const Image narrow = contact_sheet({cell(kRed, "mmm www mmm")}, 1, 3);
  CHECK(narrow.width_px == 3 + 2 * 4);
}

TEST_CASE("image: letters that cannot be drawn are replaced by the nearest", "[image]") {
  const auto looks_like = [](const std::string& label, const std::string& plain) {
    INFO(label << " as " << plain);
    CHECK(same(labelled(label), labelled(plain)));
  };
  looks_like("José Ñuñez", "Jose Nunez");
  looks_like("Jose\xCC\x81",
             "Jose");  // the accent as a letter of its own, as macOS has it in names
  looks_like("Ægir Þór", "AEgir Thor");
  looks_like("Straße", "Strasse");
  looks_like("Łukasz Žižek Őry İpek ıŋ", "Lukasz Zizek Ory Ipek in");
  looks_like("Ĵ Ŵ Ŷ Ž ž ſ Œ", "J W Y Z z s OE");
  looks_like("Nguyễn Ơ Ưng ỳ", "Nguyen O Ung y");
  looks_like("Ștefan Țepeș", "Stefan Tepes");
  looks_like("seed 7 · 20 steps", "seed 7 . 20 steps");
  looks_like("“a” – ‘b’ … c", "\"a\" - 'b' ... c");
  looks_like("Ада", "???");
  looks_like("肖像", "??");
  looks_like("😀!", "?!");
  looks_like("bad \xFF\xC3", "bad ??");
  looks_like("cut \xE2\x82", "cut ?");
  looks_like("tab\there", "tab here");
  CHECK_FALSE(same(labelled("Jose"), labelled("Josf")));
  CHECK_FALSE(same(labelled("?"), labelled("")));
}
