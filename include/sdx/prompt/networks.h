#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// A LoRA that a prompt asks for, as AUTOMATIC1111 writes it.
struct NetworkTag {
  std::string written;  ///< "<lora:style:0.8>"
  std::string name;     ///< of its file, without ending
  double text = 1;      ///< strength in the text encoders
  double unet = 1;      ///< strength in the UNet

  bool operator==(const NetworkTag&) const = default;
};

/// The length of the tag that begins at `start`, 0 if none does: `<lora:…>` or `<lyco:…>`, closed
/// on its line, with no other bracket inside.
std::size_t find_network_length(std::string_view text, std::size_t start);

/// The tags of a text, in order. `<lora:NAME>` has the strength 1, `<lora:NAME:0.8>` another one.
/// `<lora:NAME:0.8:0.5>` has 0.8 in the text encoders and 0.5 in the UNet: the text encoders come
/// first, as in AUTOMATIC1111. `te=` and `unet=` name them.
/// @throws UsageError naming the tag: no name, a strength that is no finite number, more than two
/// of
///         them, another word with "=".
std::vector<NetworkTag> list_networks(std::string_view text);

/// The text without its tags, which say nothing to the text encoders.
std::string without_networks(std::string_view text);

/// A tag as people write it: "<lora:style:0.8>", "<lora:style:0.8:0.5>".
std::string write_network(const std::string& name, double text, double unet);

/// "FILE", "FILE:0.8", "FILE:0.8:0.5": the same without brackets, where a file's path may have
/// colons of its own; what is no strength belongs to it.
/// @throws UsageError as list_networks().
NetworkTag parse_network(std::string_view text);

}  // namespace sdx
