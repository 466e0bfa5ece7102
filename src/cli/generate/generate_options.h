#pragma once

#include <string>
#include <vector>

#include "cli/generate/chosen_vae.h"
#include "cli/generate/image_writer.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/image_options.h"
#include "sdx/generation/preview.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// What sdx-generate is asked for, besides the model, the device and the messages.
struct GenerateOptions {
  std::vector<std::string> prompts;
  std::string prompt_file;
  std::string names;
  std::vector<std::string> embeddings = {"embeddings"};
  std::vector<std::string> loras = {"loras"};  ///< --loras; --lora is in `image`
  bool bare_names = false;
  PromptSources sources;
  std::string source_image;  ///< --from-image
  int count = 1;
  std::vector<std::string> axes;
  ImageOptions image;
  BatchOptions batches;
  OutputOptions output;
  std::string vae = kAutoVae;  ///< see with_vae()
  PreviewOptions previews;
  std::string latents_in;
  std::string latents_out;
  bool list_samplers = false;
};

/// Those that no other table has: of prompts, images and their encoding.
const SettingsTable<GenerateOptions>& generate_settings();

}  // namespace sdx
