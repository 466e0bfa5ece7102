#include "sdx/generation/vae_decoder_fields.h"

#include <filesystem>

#include "sdx/model/tiny_autoencoder.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSetting = "vae-approx";
constexpr std::size_t kDigits = 12;

}  // namespace

void add_vae_decoder_fields(const std::string& vae_approx, Infotext& infotext) {
  const fs::path place = fs::path(vae_approx).lexically_normal();
  const fs::path name = place.has_filename() ? place.filename() : place.parent_path().filename();
  infotext.fields.emplace_back(kVaeDecoderFileField, name.string());
  infotext.fields.emplace_back(kVaeDecoderHashField, hash_tiny_autoencoder(vae_approx));
}

std::string hash_tiny_autoencoder(const std::string& vae_approx) {
  return sha256_of_file(find_tiny_autoencoder(vae_approx, kSetting)).substr(0, kDigits);
}

std::string find_stated_tiny_autoencoder(const Infotext& infotext) {
  const std::string name = infotext.field(kVaeDecoderFileField).value_or("");
  if (infotext.field(kVaeDecoderField) != kTinyDecoder || name.empty()) return "";
  if (name.find('/') != std::string::npos || name == "." || name == "..") return "";
  try {
    find_tiny_autoencoder(name, kSetting);
    return name;
  } catch (const Error&) {
    return "";
  }
}

}  // namespace sdx
