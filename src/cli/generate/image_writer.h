#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/infotext_format.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/write.h"

namespace sdx {

/// How pictures are written.
struct OutputOptions {
  std::string folder = "pictures";
  ImageEncoding encoding;
  bool sidecar = false;  ///< prompt and settings in a JSON file beside each, too
  bool grid = false;     ///< a labelled contact sheet as well
};

/// Writes pictures into a folder, one after the other, under numbers that are free there: nothing
/// is overwritten, and they stay in the order in which they were made.
class ImageWriter {
 public:
  /// Makes no folder yet: what is refused leaves none behind.
  /// @param known the embeddings that prompts may use: their names stand in the files' names
  /// @throws as prepare_output_folder, if the folder cannot be made or written into.
  ImageWriter(const OutputOptions& options, const EmbeddingSizes& known);

  /// Makes the folder, before the first picture and after all checks. The second call does nothing.
  /// @throws as prepare_output_folder.
  void open();

  void write(const ImageJob& job, const Infotext& infotext, const Image& image);

  /// The contact sheets: one of all pictures, or of each `cells` of them.
  /// @param columns 0: as square as it gets.
  std::vector<std::filesystem::path> write_grids(std::size_t cells, int columns);

  /// Pictures written so far; may be asked by another thread.
  std::size_t count() const { return count_; }

  /// One object for each picture: where it is, prompt, seed.
  const std::vector<Json>& written() const { return written_; }

 private:
  std::filesystem::path numbered(std::size_t index, const std::string& rest) const;

  OutputOptions options_;
  EmbeddingSizes known_;
  std::int64_t first_number_ = 0;  ///< 0: not opened yet
  std::atomic<std::size_t> count_ = 0;
  std::vector<SheetCell> cells_;
  std::vector<Json> written_;
};

}  // namespace sdx
