// A report in a real browser, where one is installed.

#include <cstdlib>

#include "sdx/image/png.h"
#include "sdx/training/report.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::read_bytes;
using sdx::test::TempFolder;

TEST_CASE("cli: a report opens in Chromium without an error") {
  std::string browser;
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (std::system(("command -v " + std::string(name) + " > /dev/null").c_str()) == 0) {
      browser = name;
      break;
    }
  }
  if (browser.empty()) SDX_SKIP("no Chromium on this machine");

  const TempFolder folder;
  folder.file("metrics.jsonl",
              "{\"step\":0,\"fixed_loss\":0.06}\n{\"step\":50,\"fixed_loss\":0.04}\n"
              "{\"step\":50,\"likeness\":0.7,\"obedience\":0.9,\"score\":0.63,\"best\":true}\n");
  fs::create_directory(folder.path() / "previews");
  sdx::write_png(folder.path() / "portraits.png", sdx::Image(64, 48));
  sdx::write_png(folder.path() / "previews/00050.png", sdx::Image(32, 32));
  // The report itself runs no script; a page around it looks at what the browser made of it.
  const fs::path report = sdx::write_report(folder.path());
  folder.file("look.html", R"html(<html><body><iframe src="report.html" width="1000"></iframe>
<pre id="seen"></pre><script>
onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const sizes = [...page.images].map(i => i.complete ? i.naturalWidth + "x" + i.naturalHeight : "-");
  const curves = [...page.querySelectorAll("path.curve")].map(c => c.getTotalLength() > 50);
  const wide = page.documentElement.scrollWidth > page.documentElement.clientWidth;
  document.getElementById("seen").textContent = "pictures " + sizes.join(" ") + "; curves " +
      curves.filter(Boolean).length + "; ground " + page.defaultView.getComputedStyle(page.body)
      .backgroundColor + "; overflow " + wide;
};
</script></body></html>)html");
  const std::string command =
      browser + " --headless --no-sandbox --disable-gpu --allow-file-access-from-files" +
      " --enable-logging=stderr --user-data-dir=" + (folder.path() / "profile").string() +
      " --dump-dom file://" + (folder.path() / "look.html").string() + " > " +
      (folder.path() / "dom").string() + " 2> " + (folder.path() / "log").string();
  REQUIRE(std::system(command.c_str()) == 0);
  const std::string dom = read_bytes(folder.path() / "dom");
  CHECK_THAT(dom, ContainsSubstring("pictures 32x32 64x48; curves "));
  CHECK_THAT(dom, ContainsSubstring("overflow false"));
  CHECK_THAT(dom, !ContainsSubstring("curves 0"));
  CHECK_THAT(dom, !ContainsSubstring("ground rgba(0, 0, 0, 0)"));  // the style sheet was taken
  CHECK_THAT(read_bytes(folder.path() / "log"), !ContainsSubstring("CONSOLE"));
}
