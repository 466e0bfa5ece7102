#include "cli/generate/preview_display.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "cli/terminal_picture.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/image/write.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

PreviewDisplay::PreviewDisplay(fs::path folder, const CommonOptions& common)
    : folder_(std::move(folder)), common_(common) {}

PreviewDisplay::~PreviewDisplay() {
  std::error_code ignored;
  if (!file_.empty()) fs::remove(file_, ignored);
}

void PreviewDisplay::show(const Preview& preview) {
  if (has_failed_) return;
  const std::string png = encode_image(preview.image, {}, {});
  const TerminalPictures way = find_terminal_pictures();
  if (way != TerminalPictures::kNone && isatty(STDERR_FILENO) != 0 && !common_.quiet) {
    return ProgressBar::write_picture_above(to_terminal_picture(png, way), kTerminalPictureRows,
                                            erase_terminal_picture(way));
  }
  try {
    write(png);
  } catch (const Error& error) {
    has_failed_ = true;
    spdlog::warn("No more previews: {}", to_terminal_text(error.what()));
  }
}

void PreviewDisplay::write(const std::string& png) {
  if (!file_.empty()) return write_file_atomically(file_, png);
  fs::path file = folder_ / "preview.png";
  for (int number = 2; !create_file_atomically(file, png); ++number) {
    file = folder_ / ("preview-" + std::to_string(number) + ".png");
  }
  file_ = file;
  say("Previews, until the pictures are there: " + file_.string());
  say_json(common_, {{"preview", file_.string()}});
}

}  // namespace sdx
