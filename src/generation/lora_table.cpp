#include "sdx/generation/lora_table.h"

#include <algorithm>
#include <array>
#include <system_error>

#include "sdx/prompt/networks.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kTrainedName = "ss_output_name";
constexpr int kMostDepth = 8;  ///< of folders in folders: a link may lead back

bool has_known_extension(const fs::path& path) {
  constexpr std::array<std::string_view, 4> kKnown = {".safetensors", ".pt", ".ckpt", ".bin"};
  return std::ranges::find(kKnown, lower_case(path.extension().string())) != kKnown.end();
}

/// Files that may be LoRAs, in a folder and in those below it. What cannot be looked at is passed
/// over: folders of LoRAs are collected from everywhere.
void collect_files(const fs::path& folder, int depth, std::vector<fs::path>& files) {
  std::error_code failure;
  auto entry = fs::directory_iterator(folder, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    std::error_code unseen;
    const fs::file_status status = entry->status(unseen);
    if (unseen) continue;
    if (fs::is_directory(status) && depth > 0) collect_files(entry->path(), depth - 1, files);
    if (fs::is_regular_file(status) && has_known_extension(entry->path())) {
      files.push_back(entry->path());
    }
  }
}

/// Whether somebody who wrote this meant a path.
bool is_path(const std::string& text) {
  return text.find('/') != text.npos || has_known_extension(text);
}

/// The name in the metadata; empty if there is none, or no safetensors file.
std::string find_trained_name(const fs::path& file) {
  if (lower_case(file.extension().string()) != ".safetensors") return "";
  try {
    const auto metadata = map_safetensors(file).metadata;
    const auto name = metadata.find(kTrainedName);
    return name == metadata.end() ? "" : name->second;
  } catch (const Error&) {
    return "";  // said when it is asked for by its own name
  }
}

/// A name for a tag, out of a file's.
std::string name_in_tag(const Lora& lora) {
  std::string name = lora.name();
  if (name.find_first_of(":<>,\n") == name.npos && trim(name) == name && !name.empty()) return name;
  throw UsageError("`lora` " + lora.file.string() +
                   ": a prompt cannot have this name between < and >; rename the file so that it "
                   "has no colon, comma or bracket");
}

/// Names without what has a meaning in `Lora hashes`.
std::string plain_name(std::string name) {
  std::erase_if(name, [](char c) { return c == ':' || c == ','; });
  return name;
}

}  // namespace

void LoraTable::add_from(const fs::path& place) {
  std::vector<fs::path> files;
  if (fs::is_directory(place)) {
    collect_files(place, kMostDepth, files);
  } else if (fs::exists(place)) {
    files.push_back(place);
  } else if (has_known_extension(place)) {
    throw MissingInputError(place.string() + ": no such file");
  }
  std::ranges::sort(files);
  files_.insert(files_.end(), files.begin(), files.end());
}

std::vector<fs::path> LoraTable::find(const std::string& name) const {
  std::vector<fs::path> found;
  for (const fs::path& file : files_) {
    if (is_same_name(file.stem().string(), name)) found.push_back(file);
  }
  if (!found.empty()) return found;
  for (const fs::path& file : files_) {
    if (is_same_name(find_trained_name(file), name)) found.push_back(file);
  }
  return found;
}

bool LoraTable::contains(const std::string& name) const { return !find(name).empty(); }

std::shared_ptr<const Lora> LoraTable::read(const fs::path& file) {
  std::shared_ptr<const Lora>& lora = read_[file];
  if (!lora) lora = read_lora(file);
  return lora;
}

std::shared_ptr<const Lora> LoraTable::open(const std::string& name_or_path) {
  const bool is_file =
      is_path(name_or_path) && (fs::exists(name_or_path) || !contains(name_or_path));
  return is_file ? read(name_or_path) : at(name_or_path);
}

std::shared_ptr<const Lora> LoraTable::at(const std::string& name) {
  const std::vector<fs::path> files = find(name);
  if (files.empty()) throw_unknown(name);
  std::shared_ptr<const Lora> lora = read(files.front());
  for (const fs::path& other : files) {
    if (read(other)->short_hash == lora->short_hash) continue;
    throw DataError("two LoRAs are called " + quote_text(name) + ": " + files.front().string() +
                    " and " + other.string() + "; rename or remove one of them");
  }
  return lora;
}

std::vector<std::shared_ptr<const Lora>> LoraTable::list_read() const {
  std::vector<std::shared_ptr<const Lora>> all;
  for (const auto& [file, lora] : read_) {
    if (lora) all.push_back(lora);
  }
  return all;
}

void LoraTable::throw_unknown(const std::string& name) const {
  std::vector<std::string> known;
  for (const fs::path& file : files_) known.push_back(file.stem().string());
  std::vector<std::string> nearest = nearest_words(name, known);
  for (std::string& one : nearest) one = quote_text(one);
  throw MissingInputError(
      "no LoRA is called " + quote_text(name) + "; " +
      (nearest.empty() ? "there are none here" : "the nearest names are " + join(nearest, ", ")) +
      ". `loras` says in which folder to look, `lora` names a file");
}

void resolve_loras(ImageRequest& request, const std::vector<std::string>& asked, LoraTable& table) {
  const auto add = [&](AppliedLora applied) {
    if (!applied.is_off()) request.settings.loras.push_back(std::move(applied));
  };
  for (const NetworkTag& tag : list_networks(request.prompt)) {
    add({tag.name, table.at(tag.name), tag.text, tag.unet});
  }
  for (const std::string& one : asked) {
    const NetworkTag tag = parse_network(one);
    auto lora = table.open(tag.name);
    const std::string name = is_path(tag.name) ? name_in_tag(*lora) : tag.name;
    request.prompt += (request.prompt.empty() ? "" : " ") + write_network(name, tag.text, tag.unet);
    add({name, std::move(lora), tag.text, tag.unet});
  }
}

void check_loras_resolved(const ImageRequest& request) {
  for (const NetworkTag& tag : list_networks(request.prompt)) {
    const bool is_there = (tag.text == 0 && tag.unet == 0) ||
                          std::ranges::any_of(request.settings.loras, [&](const auto& applied) {
                            return applied.name == tag.name;
                          });
    if (is_there) continue;
    throw UsageError(
        in_quotes(tag.written) +
        ": LoRAs are for the pictures of sdx-generate only; take it out of the prompt");
  }
}

std::string lora_hashes(const AppliedLoras& loras) {
  std::vector<std::string> hashes;
  for (const AppliedLora& applied : loras) {
    std::string hash = plain_name(applied.name) + ": " + applied.lora->short_hash;
    if (std::ranges::count(hashes, hash) == 0) hashes.push_back(std::move(hash));
  }
  return join(hashes, ", ");
}

std::map<std::string, std::string> read_lora_hashes(const std::string& text) {
  std::map<std::string, std::string> hashes;
  for (const std::string& one : split_list(text, ',')) {
    const std::size_t colon = one.rfind(':');
    if (colon == one.npos) continue;
    hashes[trim(one.substr(0, colon))] = lower_case(trim(one.substr(colon + 1)));
  }
  return hashes;
}

}  // namespace sdx
