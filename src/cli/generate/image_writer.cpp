#include "cli/generate/image_writer.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "cli/output_folder.h"
#include "sdx/cli/infotext_json.h"
#include "sdx/prompt/networks.h"
#include "sdx/prompt/prompt.h"
#include "sdx/util/file.h"
#include "sdx/util/file_name.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

// Numbers beyond are no numbers of ours, and leave room to count on.
constexpr std::int64_t kHighestNumber = 999'999'999'999;

/// One more than the highest number that a file in the folder begins with.
std::int64_t find_free_number(const fs::path& folder) {
  std::int64_t highest = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    std::int64_t number = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
    if (read.ec == std::errc() && number <= kHighestNumber) highest = std::max(highest, number);
  }
  return highest + 1;
}

}  // namespace

ImageWriter::ImageWriter(const OutputOptions& options, const EmbeddingSizes& known)
    : options_(options), known_(known) {
  // What would fail behind the checks fails before them, with the same words.
  const fs::path folder = options_.folder;
  std::error_code unseen;
  if (folder.empty() || fs::exists(folder, unseen) || !may_write_into(folder)) {
    prepare_output_folder(folder);
  }
}

void ImageWriter::open() {
  if (first_number_ > 0) return;
  prepare_output_folder(options_.folder);
  first_number_ = find_free_number(options_.folder);
}

fs::path ImageWriter::numbered(std::size_t index, const std::string& rest) const {
  char number[32];
  std::snprintf(number, sizeof number, "%04" PRId64,
                first_number_ + static_cast<std::int64_t>(index));
  return fs::path(options_.folder) / (number + ("-" + rest));
}

void ImageWriter::write(const ImageJob& job, const Infotext& infotext, const Image& image) {
  const ImageRequest& request = job.request;
  ImageMetadata metadata;
  metadata.parameters = format_infotext(infotext);
  const std::string bytes = encode_image(image, options_.encoding, metadata);
  const std::string rest =
      std::to_string(request.seed) + "-" +
      make_file_name(without_networks(request.prompt), placeholder_names(request.prompt, known_));
  const std::string extension(file_extension(options_.encoding.format));
  // Another process may have taken the number since this one began: then the next one.
  fs::path stem = numbered(count_, rest);
  while (!create_file_atomically(stem.string() + extension, bytes)) {
    ++first_number_;
    stem = numbered(count_, rest);
  }
  const fs::path file = stem.string() + extension;
  Json line = {{"picture", file.string()}, {"prompt", request.prompt}, {"seed", request.seed}};
  if (options_.sidecar) {
    const std::string text = to_json(infotext).dump(2) + "\n";
    // Another process may have made the picture of that name in another format.
    fs::path sidecar = stem.string() + ".json";
    if (!create_file_atomically(sidecar, text)) {
      sidecar = file.string() + ".json";
      write_file_atomically(sidecar, text);
    }
    line["sidecar"] = sidecar.string();
  }
  written_.push_back(std::move(line));
  if (options_.grid) cells_.push_back({image, job.label});
  ++count_;
}

std::vector<fs::path> ImageWriter::write_grids(std::size_t cells, int columns) {
  std::vector<fs::path> files;
  for (std::size_t first = 0; first < cells_.size(); first += cells) {
    const auto begin = cells_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(cells, cells_.size() - first));
    const std::string bytes = encode_image(contact_sheet({begin, end}, columns), {},
                                           {.parameters = {}, .ai_generated = false});
    std::size_t index = first;
    while (!create_file_atomically(numbered(index, "grid.png"), bytes)) ++index;
    files.push_back(numbered(index, "grid.png"));
  }
  return files;
}

}  // namespace sdx
