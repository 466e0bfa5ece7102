#include "cli/generate/generate_options.h"

namespace sdx {

namespace {

// A list of more would fill the memory before the first picture, and nobody looks at them.
constexpr int kMostImagesOfOnePrompt = 100'000;

}  // namespace

const SettingsTable<GenerateOptions>& generate_settings() {
  using Options = GenerateOptions;
  static const SettingsTable<Options> kTable = [] {
    SettingsTable<Options> table;
    table.group("Input");
    table.add("prompt", &Options::prompts, "Prompts").positional().common();
    table
        .add("prompts", &Options::prompt_file,
             "File with a prompt on each line, or options: --prompt \"…\" --steps 30 --seed 7")
        .names(SettingValue::kFile)
        .common();
    table
        .add("names", &Options::names,
             "Replace {name} in prompts by each of these comma-separated names")
        .names(SettingValue::kEmbedding)
        .common();
    table
        .add("from-image", &Options::source_image,
             "Take prompt and settings from this picture; options that you type override them")
        .names(SettingValue::kFile)
        .common();
    table.add("embeddings", &Options::embeddings, "Folders or files in which <Name> is looked up")
        .names(SettingValue::kFile);
    table
        .add("lora", nested(&Options::image, &ImageOptions::loras),
             "Use this LoRA, FILE or NAME, with :STRENGTH behind it; a prompt says <lora:NAME:0.8>")
        .names(SettingValue::kFile)
        .common();
    table.add("loras", &Options::loras, "Folders or files in which <lora:NAME:0.8> is looked up")
        .names(SettingValue::kFile);
    table.add("bare-names", &Options::bare_names, "Read a name as its embedding even without < >");
    table.add("list-samplers", &Options::list_samplers, "List the samplers with advice")
        .of_one_call();
    table.group("Model and device");
    table
        .add("vae", &Options::vae,
             "Use this autoencoder: a file, a folder or a model; own: the model's; auto: that of "
             "`from-image`, else own")
        .names(SettingValue::kFile);
    table.group("Picture");
    table.add("count", &Options::count, "Number of pictures of each prompt, with seed + 0, 1, …")
        .letter('n')
        .within(1, kMostImagesOfOnePrompt)
        .common();
    table.group("Output");
    table.add("out", nested(&Options::output, &OutputOptions::folder), "Folder for the pictures")
        .names(SettingValue::kFolder)
        .common();
    table
        .add("grid", nested(&Options::output, &OutputOptions::grid),
             "Also write a labelled contact sheet")
        .common();
    table
        .add("xy", &Options::axes,
             "Make a grid over one or two options: \"cfg=5,7,9\" \"sampler=euler,ddim\"")
        .at_once(2);
    table
        .add("preview-every", nested(&Options::previews, &PreviewOptions::every),
             "Show the running picture every N steps, in the terminal or in preview.png; 0: never")
        .at_least(0);
    table
        .add(
            "preview-vae", nested(&Options::previews, &PreviewOptions::tiny_autoencoder),
            "Decode previews by this tiny autoencoder (TAESD); default: `vae-approx`, else colours "
            "without detail")
        .names(SettingValue::kFile);
    table.add("sidecar", nested(&Options::output, &OutputOptions::sidecar),
              "Also write prompt and settings as JSON");
    table
        .add("batch", nested(&Options::batches, &BatchOptions::size),
             "Number of pictures to make at once; 0: the fastest number that fits the memory")
        .at_least(0);
    table
        .add("latents", &Options::latents_in,
             "Start from these latents (safetensors, \"latents\" [B,4,h,w]) instead of noise")
        .names(SettingValue::kFile);
    table
        .add("save-latents", &Options::latents_out,
             "Write the final latents (safetensors) to this file")
        .names(SettingValue::kFile);
    return table;
  }();
  return kTable;
}

}  // namespace sdx
