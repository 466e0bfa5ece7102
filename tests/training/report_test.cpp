#include "sdx/training/report.h"

#include <filesystem>
#include <string_view>
#include <vector>

#include "sdx/image/contact_sheet.h"
#include "sdx/image/png.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::contains;
using sdx::test::TempFolder;

namespace {

/// "" if every tag is closed in order and no "<" or "&" stands alone; else what is wrong.
std::string find_fault(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t i = html.find("<html"); i < html.size(); ++i) {
    if (html[i] == '&' && html.find(';', i) > i + 7) return "bare & at " + html.substr(i, 20);
    if (html[i] != '<') continue;
    const std::size_t end = html.find('>', i);
    if (end == std::string::npos) return "unclosed " + html.substr(i, 20);
    const std::string tag = html.substr(i + 1, end - i - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" \n/", tag.front() == '/' ? 1 : 0));
    if (tag.front() == '/') {
      if (open.empty() || "/" + open.back() != name) return "unexpected <" + name + ">";
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    i = end;
  }
  return open.empty() ? "" : "unclosed <" + open.back() + ">";
}

std::string without_scripts(std::string html) {
  for (std::size_t at = 0; (at = html.find("<script", at)) != std::string::npos;) {
    const std::string_view end = "</script>";
    html.erase(at, html.find(end, at) + end.size() - at);
  }
  return html;
}

/// What the page's script is given.
sdx::Json read_data(const std::string& html) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t at = html.find(begin) + begin.size();
  const std::string json = html.substr(at, html.find("</script>", at) - at);
  CHECK(!contains(json, "<"));
  return sdx::Json::parse(json);
}

std::string read_report(const TempFolder& folder) {
  const fs::path file = sdx::write_report(folder.path());
  CHECK(file == folder.path() / "report.html");
  std::string html = sdx::test::read_bytes(file);
  CHECK(find_fault(without_scripts(html)) == "");
  return html;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t i = text.find(part); i != std::string::npos; i = text.find(part, i + 1)) ++found;
  return found;
}

void write_full_run(const TempFolder& folder) {
  folder.file("config.json", R"({"name": "Ada", "lr": 0.005, "init": "<b>\"x\" & y</b>"})");
  folder.file("summary.json",
              R"({"name": "<script>alert(1)</script>", "model": "mini", "steps": 100,
                  "stopped_because": "the loss has settled", "best_step": 50,
                  "likeness_before": 0.311, "likeness_after": 0.7, "seconds": 192.4,
                  "peak_memory_gb": 0.512, "embedding": "embeddings/Ada.safetensors"})");
  std::string metrics = "{\"step\":0,\"fixed_loss\":0.06}\n";
  for (int step = 1; step <= 100; ++step) {
    metrics += "{\"step\":" + std::to_string(step) +
               ",\"loss\":0.03,\"gradient_norm\":0.02,\"learning_rate\":0.005," +
               "\"vector_norm\":0.9,\"unknown\":[1]}\n";
  }
  metrics +=
      "{\"step\":50,\"fixed_loss\":0.04,\"likeness\":0.7,\"obedience\":0.9,\"score\":0.63"
      "}\n"
      "{\"step\":100,\"likeness\":0.72,\"obedience\":0.8,\"score\":0.576}\n"
      "{\"step\":101,\"los";
  folder.file("metrics.jsonl", metrics);
  fs::create_directory(folder.path() / "previews");
  sdx::write_png(folder.path() / "portraits.png", sdx::Image(8, 8));
  sdx::write_png(folder.path() / "previews/00050.png", sdx::Image(8, 8));
  sdx::write_png(folder.path() / "previews/00100.png", sdx::Image(8, 8));
}

}  // namespace

TEST_CASE("training: a report shows curves, crops, previews, settings and outcome", "[training]") {
  const TempFolder folder;
  write_full_run(folder);
  const std::string html = read_report(folder);
  for (const char* title : {"How alike, how obedient", "Loss on the fixed batch", "Learning rate",
                            "Gradient norm", "Vector norm"}) {
    INFO(title);
    CHECK(contains(html, "<figcaption>" + std::string(title)));
  }
  CHECK(count(html, "<svg ") == 5);
  CHECK(count(html, "src=\"data:image/png;base64,iVBORw0KGgo") == 3);
  CHECK(contains(html, "kept: step 50"));
  CHECK(contains(html, "likeness 0.70, obedience 0.90, score 0.63"));
  CHECK(count(html, "class=\"badge\"") == 1);
  CHECK(contains(html, "0.31 → 0.70"));
  CHECK(contains(html, "3 min 12 s"));
  CHECK(contains(html, "0.512 GB"));
  CHECK(contains(html, "Training stopped: the loss has settled."));
  CHECK(contains(html, "<dt>lr</dt><dd>0.005</dd>"));
}

TEST_CASE("training: a report takes users' text as text and needs no network", "[training]") {
  const TempFolder folder;
  write_full_run(folder);
  const std::string html = read_report(folder);
  CHECK(count(html, "<script") == 2);  // the data, and ours
  CHECK_FALSE(contains(html, "<script>alert"));
  CHECK(read_data(html)["name"] == "<<script>alert(1)</script>>");
  CHECK_FALSE(contains(html, "<b>"));
  CHECK(contains(html, "&lt;&lt;script&gt;alert(1)&lt;/script&gt;&gt;"));
  CHECK(contains(html, "&lt;b&gt;&quot;x&quot; &amp; y&lt;/b&gt;"));
  CHECK_FALSE(contains(html, "http:"));
  CHECK_FALSE(contains(html, "https:"));
  CHECK(contains(html, "default-src 'none'"));
}

TEST_CASE("training: a report shows each portrait with its likeness, and each preview by itself",
          "[training]") {
  const TempFolder folder;
  write_full_run(folder);
  const std::string odd = "b</script>\u00fc.jpg";
  const std::vector<sdx::SheetCell> cells = {
      {sdx::Image(16, 16), "a.png"}, {sdx::Image(16, 16), odd}, {sdx::Image(16, 16), "c.png"}};
  const sdx::ContactSheet sheet = sdx::draw_contact_sheet(cells);
  sdx::Json portraits = sdx::Json::array();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const sdx::Rect& at = sheet.places[i];
    portraits.push_back(
        {{"file", cells[i].label}, {"place", {at.x_px, at.y_px, at.width_px, at.height_px}}});
  }
  sdx::write_png(folder.path() / "portraits.png", sheet.image);
  const std::vector<std::string> prompts = {"<Ada> in the snow", "Robot <Ada>"};
  folder.file("sheets.json", sdx::Json{{"portraits", portraits}, {"previews", prompts}}.dump());
  const sdx::Image previews =
      sdx::contact_sheet({{sdx::Image(16, 16), prompts[0]}, {sdx::Image(16, 16), prompts[1]}}, 2);
  sdx::write_png(folder.path() / "previews/00050.png", previews);
  folder.file(
      "metrics.jsonl",
      "{\"step\":50,\"likeness\":0.7,\"score\":0.63,\"likeness_by_portrait\":[0.714,null,0.5]}\n"
      "{\"step\":100,\"likeness\":0.72,\"likeness_by_portrait\":[0.9,null,0.9]}\n");

  const std::string html = read_report(folder);
  CHECK(count(html, "id=\"portrait-") == 3);
  CHECK(contains(html, "alt=\"b&lt;/script&gt;\u00fc.jpg\" src=\"data:image/webp;base64,"));
  // Of the kept step, 50.
  CHECK(contains(html, "a.png<small>likeness 0.71</small>"));
  CHECK(contains(html, "\u00fc.jpg<small>no face is seen in it</small>"));
  CHECK(contains(html, "c.png<small>likeness 0.50</small>"));
  CHECK(contains(html, "<img id=\"preview-50-1\" alt=\"Robot &lt;Ada&gt;\""));
  CHECK(count(html, "id=\"preview-") == 2);  // step 100 has another sheet, which is shown whole
  const sdx::Json data = read_data(html);
  CHECK(data["portraits"][1]["file"] == odd);
  CHECK(data["milestones"] == sdx::Json::parse(R"([{"step": 50, "kept": true,
      "prompts": ["<Ada> in the snow", "Robot <Ada>"], "likeness": 0.7,
      "likeness_by_portrait": [0.714, null, 0.5]}])"));

  // The same folder gives the same bytes.
  CHECK(read_report(folder) == html);
  // Places that are not in the sheet: the sheet is shown whole.
  sdx::write_png(folder.path() / "portraits.png", sdx::Image(100, 100));
  CHECK(count(read_report(folder), "id=\"portrait-") == 0);
  folder.file("sheets.json", R"({"portraits": [{"file": "a", "place": [1, 2]}], "previews": []})");
  CHECK(
      contains(sdx::test::catch_message<sdx::DataError>([&] { sdx::write_report(folder.path()); }),
               "sheets.json: key \"place\": expected x, y, width and height, found [1,2]"));
}

TEST_CASE("training: a run that has only begun has a report", "[training]") {
  const TempFolder folder;
  CHECK(contains(read_report(folder), "has not come to its end"));
  folder.file("metrics.jsonl", "{\"step\":0,\"fixed_loss\":0.06}\n{\"step\":1,\"learn");
  const std::string html = read_report(folder);
  CHECK(count(html, "<svg ") == 1);
  CHECK_FALSE(contains(html, "could not be read"));
  CHECK_FALSE(contains(html, "nan"));
}

TEST_CASE("training: broken lines amid the metrics are counted, repeated steps count once",
          "[training]") {
  const TempFolder folder;
  folder.file("metrics.jsonl",
              "{\"step\":10,\"fixed_loss\":9}\n{\"step\":11,\"lo{\"step\":12}\n"
              "{\"step\":10,\"fixed_loss\":0.25}\n{\"step\":20,\"fixed_loss\":null}\n");
  const std::string html = read_report(folder);
  CHECK(contains(html, "could not be read: 1."));
  CHECK(contains(html, "from 0.25 at step 10 to 0.25 at step 10"));
}

TEST_CASE("training: what a report cannot be made of is named", "[training]") {
  const TempFolder folder;
  const auto write = [&] { sdx::write_report(folder.path()); };
  folder.file("summary.json", "[1, 2]");
  CHECK(contains(sdx::test::catch_message<sdx::DataError>(write),
                 "summary.json: expected one JSON object"));
  CHECK(contains(sdx::test::catch_message<sdx::MissingInputError>(
                     [&] { sdx::write_report(folder.path() / "none"); }),
                 "no such folder"));
}
