#pragma once

#include <map>
#include <optional>
#include <string>

#include "sdx/generation/infotext_format.h"

namespace sdx {

/// How an image was made, as its own text says it, in AUTOMATIC1111's words whichever program wrote
/// it.
struct ImageOrigin {
  std::string program;  ///< "ComfyUI"; empty: AUTOMATIC1111's own way, which many programs have
  Infotext infotext;    ///< what is not taken over stands among the fields, by what it is: "LoRA"
  /// Why the prompt is not known although settings are: "its KSampler takes the prompt from a node
  /// \"Styler\"". Empty: it is known.
  std::string prompt_fault;
};

/// Finds in an image's texts (image/metadata.h, read_image_texts()) how it was made. Read are the
/// ways of AUTOMATIC1111, and where they say it plainly those of ComfyUI, SwarmUI, InvokeAI,
/// NovelAI, Fooocus and Easy Diffusion. JSON is never taken for a prompt.
///
/// Names of samplers stay as they are written. `<lora:…>` stays in a prompt of AUTOMATIC1111's way.
/// Other programs read its numbers in other ways: there it is taken out and becomes a field "LoRA".
/// `<hypernet:…>` becomes a field "Hypernet" everywhere.
/// @return nothing where no text says it
/// @throws DataError that says whose way it is, and why it cannot be read: a graph with several
///         samplers, damaged JSON, nesting deeper than 100 levels, more than 16 MiB.
std::optional<ImageOrigin> find_image_origin(const std::map<std::string, std::string>& texts);

}  // namespace sdx
