#include "cli/generate/chosen_vae.h"

#include <algorithm>
#include <filesystem>

#include "sdx/cli/tool.h"
#include "sdx/model/import/borrowed_vae.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// The name of an autoencoder that the picture states; empty for none, in the words of
/// AUTOMATIC1111 too.
std::string find_stated_vae(const SourceImage& source) {
  const std::string name = trim(source.origin.infotext.field("VAE").value_or(""));
  const std::string letters = lower_case(name);
  return letters == "none" || letters == "automatic" ? "" : name;
}

bool is_installed(const std::string& name) {
  return std::ranges::any_of(Bundle::installed(), [&](const fs::path& folder) {
    return folder.filename().string() == name;
  });
}

}  // namespace

std::string find_vae(const SourceImage& source) {
  const std::string name = find_stated_vae(source);
  if (name.empty()) return kOwnVae;
  if (name.find('/') == std::string::npos && name != "." && name != "..") {
    std::error_code ignored;
    for (const fs::path& folder : {fs::path("."), fs::path(source.file).parent_path()}) {
      if (fs::exists(folder / name, ignored)) return (folder / name).string();
    }
    if (is_installed(name)) return name;
  }
  say(source.file + " was made with the autoencoder " + quote_text(name) +
      ", which is not here, so colours may differ: --vae FILE says where it is; --vae own takes "
      "the model's");
  return kOwnVae;
}

Bundle with_vae(const Bundle& model, const std::string& vae,
                const std::optional<SourceImage>& source) {
  if (vae == kAutoVae || vae == kOwnVae) return model;
  const auto borrowed = borrow_vae(model, vae);
  const std::string stated = source ? source->origin.infotext.field("VAE hash").value_or("") : "";
  if (!stated.empty() && !find_stated_vae(*source).empty() && !borrowed->hash.empty() &&
      stated != borrowed->hash) {
    say(source->file + " was made with another autoencoder than " + vae + ": its hash is " +
        quote_text(stated) + ", that of the file is " + borrowed->hash);
  }
  return model.with_vae(borrowed);
}

}  // namespace sdx
