#pragma once

#include <filesystem>
#include <string>

#include "sdx/cli/common_options.h"
#include "sdx/generation/preview.h"

namespace sdx {

/// Where previews of running pictures are seen: in a terminal that shows pictures, each in the
/// place of the one before, else in a file, `preview.png` in the folder of the pictures. There is
/// always the newest one in it, whole; it goes when this does. A file of that name that is there
/// already stays: then it is `preview-2.png`, …
class PreviewDisplay {
 public:
  /// @param folder of the pictures; exists
  PreviewDisplay(std::filesystem::path folder, const CommonOptions& common);
  ~PreviewDisplay();
  PreviewDisplay(const PreviewDisplay&) = delete;
  PreviewDisplay& operator=(const PreviewDisplay&) = delete;

  /// A preview that cannot be written is no reason to stop: it is said once, and no more follow.
  void show(const Preview& preview);

 private:
  void write(const std::string& png);

  std::filesystem::path folder_;
  const CommonOptions& common_;
  std::filesystem::path file_;  ///< empty: none yet
  bool has_failed_ = false;
};

}  // namespace sdx
