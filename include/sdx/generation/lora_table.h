#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sdx/generation/settings.h"
#include "sdx/model/lora.h"

namespace sdx {

/// The LoRAs that prompts may name. A file is read when it is asked for, once.
class LoraTable {
 public:
  /// Adds a file, or the files of a folder and of the folders in it: `.safetensors`, `.pt`, `.ckpt`
  /// and `.bin`. A folder may be absent, and may hold anything.
  /// @throws MissingInputError for a file that is not there.
  void add_from(const std::filesystem::path& file_or_folder);

  /// Whether there is a file for a name.
  bool contains(const std::string& name) const;

  /// The LoRA of a name: that of a file without ending, in any form of its accents (case counts),
  /// else the one by which its training program called it (`ss_output_name`), as AUTOMATIC1111
  /// finds them.
  /// @throws MissingInputError (66) with the nearest names; DataError naming both files if two of
  ///         one name differ; as read_lora().
  std::shared_ptr<const Lora> at(const std::string& name);

  /// The same, or that of a file's path. Nobody else's prompt opens a path.
  /// @throws as at() and read_lora().
  std::shared_ptr<const Lora> open(const std::string& name_or_path);

  /// All that were read so far.
  std::vector<std::shared_ptr<const Lora>> list_read() const;

 private:
  std::vector<std::filesystem::path> find(const std::string& name) const;
  std::shared_ptr<const Lora> read(const std::filesystem::path& file);
  [[noreturn]] void throw_unknown(const std::string& name) const;

  std::vector<std::filesystem::path> files_;
  std::map<std::filesystem::path, std::shared_ptr<const Lora>> read_;
};

/// Finds the LoRAs of a picture: those of the tags in its prompt (list_networks()), then `asked`,
/// whose tags are put behind the prompt, so that the picture's text names them. Those of strength 0
/// are read, and left out of the settings: such a picture is one without them, byte for byte.
/// @param asked "FILE", "NAME:0.8", … see parse_network()
/// @throws as list_networks(), parse_network() and LoraTable::at(); UsageError for a file whose
/// name
///         cannot stand in a tag.
void resolve_loras(ImageRequest& request, const std::vector<std::string>& asked, LoraTable& table);

/// Refuses a request whose prompt names LoRAs that nobody has resolved.
/// @throws UsageError naming the tag.
void check_loras_resolved(const ImageRequest& request);

/// "style: 0123456789ab, …", of the LoRAs of a picture, each once, as AUTOMATIC1111 writes
/// `Lora hashes`; empty if there are none.
std::string lora_hashes(const AppliedLoras& loras);

/// The field of a picture's text in which they stand.
inline constexpr const char* kLoraHashes = "Lora hashes";

/// What a picture's `Lora hashes` state, by name.
std::map<std::string, std::string> read_lora_hashes(const std::string& text);

}  // namespace sdx
