#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "model/import/checkpoint.h"
#include "sdx/util/json.h"

// The config.json files of a checkpoint in diffusers' layout, and what they say of each part.

namespace sdx {

/// One config.json of a checkpoint in diffusers' layout. Its errors name the file and the key.
/// @throws DataError for what is missing, of another type or not of this anatomy; as read_json_file
class DiffusersConfig {
 public:
  explicit DiffusersConfig(std::filesystem::path file);

  template <typename T>
  T get(const std::string& key) const {
    return json_value<T>(json_, key, file_);
  }
  template <typename T>
  T get(const std::string& key, T fallback) const {
    return json_value<T>(json_, key, file_, fallback);
  }

  /// Whether the key is there and null, which get() takes for an absent one.
  bool states_null(const std::string& key) const {
    return json_.is_object() && json_.contains(key) && json_[key].is_null();
  }

  template <NamedEnum E>
  E get_enum(const std::string& key) const {
    return json_enum<E>(json_, key, file_);
  }
  template <NamedEnum E>
  E get_enum(const std::string& key, E fallback) const {
    return get<Json>(key, Json(nullptr)).is_null() ? fallback : get_enum<E>(key);
  }

  /// A value that may also be a list of the same for each level, as diffusers takes it.
  template <typename T>
  T get_uniform(const std::string& key) const {
    const Json value = get<Json>(key);
    if (!value.is_array() || value.empty()) return get<T>(key);
    const auto list = get<std::vector<T>>(key);
    if (std::ranges::any_of(list, [&](const T& item) { return item != list.front(); })) {
      refuse(key, "the same for each level");
    }
    return list.front();
  }
  template <typename T>
  T get_uniform(const std::string& key, T fallback) const {
    return get<Json>(key, Json(nullptr)).is_null() ? fallback : get_uniform<T>(key);
  }

  /// Refuses a value that this anatomy does not have; an absent key means the expected one.
  template <typename T>
  void expect(const std::string& key, const T& expected) const {
    expect_one_of(key, std::vector<Json>{Json(expected)});
  }
  void expect_one_of(const std::string& key, const std::vector<Json>& expected) const;
  /// The same of a value that may also be a list of it.
  template <typename T>
  void expect_each(const std::string& key, const T& expected) const {
    const Json found = get<Json>(key, Json(expected));
    if (!found.is_array()) return expect(key, expected);
    for (const Json& item : found) {
      if (item != Json(expected)) refuse(key, Json(expected).dump());
    }
  }

  /// @throws DataError for the value of `key`, of which `expected` says what it should be.
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

 private:
  std::filesystem::path file_;
  Json json_;
};

/// @throws DataError for an anatomy that is not Stable Diffusion 1, 2 or XL.
UNetConfig read_unet_config(const DiffusersConfig& config);
/// The side of the latents that the UNet was trained on; diffusers takes 64 where none is said.
int read_sample_size(const DiffusersConfig& config);
VaeConfig read_vae_config(const DiffusersConfig& config);
TextEncoderConfig read_text_encoder_config(const DiffusersConfig& config);
/// Of the layer behind a text encoder that makes the pooled vector.
int read_projection_width(const DiffusersConfig& config);
/// The noise schedule of scheduler_config.json.
/// @param remarks what of the file is not heeded, a sentence each.
NoiseScheduleConfig read_noise_schedule(const DiffusersConfig& config,
                                        std::vector<std::string>& remarks);
/// The network of the built-in model that tells people apart.
IdentityConfig read_identity_config(const DiffusersConfig& config);

}  // namespace sdx
