#include "sdx/roster/prompt_packs.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kEnding = ".txt";

/// "fantasy, holidays, …", those most like `wanted` first.
std::string list_packs(const fs::path& folder, const std::string& requested) {
  std::vector<std::string> packs;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    if (entry.path().extension() == kEnding) packs.push_back(entry.path().stem().string());
  }
  if (packs.empty()) return "there are no packs in " + folder.string();
  const std::size_t count = packs.size();
  return "the packs are " + join(nearest_words(requested, std::move(packs), count), ", ");
}

}  // namespace

bool is_prompt_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(kEnding);
}

fs::path find_prompts(const std::string& file_or_pack) {
  const fs::path file(file_or_pack);
  const fs::path folder = data_folder() / "prompts";
  std::error_code failure;
  const fs::file_type found = fs::status(file, failure).type();
  if (found == fs::file_type::none) throw_errno(failure.value(), "read", file.string());
  const bool is_folder = found == fs::file_type::directory;
  if (found != fs::file_type::not_found && !is_folder) return file;
  if (is_prompt_path(file_or_pack)) {
    throw MissingInputError(
        file.string() +
        (is_folder ? ": expected a file of prompts, found a folder" : ": no such file of prompts") +
        "; " + list_packs(folder, file.stem().string()));
  }
  const fs::path pack = folder / (file_or_pack + std::string(kEnding));
  if (fs::is_regular_file(pack, failure)) return pack;
  throw UsageError("prompts \"" + file_or_pack + "\": neither a file nor a pack of this name; " +
                   list_packs(folder, file_or_pack));
}

}  // namespace sdx
