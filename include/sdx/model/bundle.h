#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/scheduler/noise_schedule.h"
#include "sdx/scheduler/sampling_points.h"
#include "sdx/tokenizer/tokenizer.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// The family of a model, for people to read. Nothing depends on it: the widths of the text
/// encoders decide which embeddings fit (BundleInfo::text_widths), and the UNet's program decides
/// what it takes.
enum class ModelFamily { kSd1, kSd2, kSdxl };

template <>
inline constexpr std::array kEnumTexts<ModelFamily> = {EnumText{ModelFamily::kSd1, "sd1"},
                                                       EnumText{ModelFamily::kSd2, "sd2"},
                                                       EnumText{ModelFamily::kSdxl, "sdxl"}};

/// The network that tells the model's own people apart, where a bundle has one.
struct IdentitySettings {
  int size_px = 0;                ///< side of the pictures that it takes; 0: there is none
  double same_person_cosine = 0;  ///< see IdentityEncoder
};

/// What a model advises for its pictures: the defaults of `cfg` and `sampler`.
struct SamplingAdvice {
  double guidance_scale = 7;
  SamplerKind sampler = SamplerSettings{}.sampler;
};

/// One text encoder of a model.
struct TextEncoderInfo {
  std::string part = "text_encoder";  ///< its files: `<part>.ts`, `<part>.safetensors`
  int width = 0;                      ///< W, of its output and of an embedding's vectors for it
  int layers = 0;                     ///< of its transformer
  /// The id behind a prompt's end, where it is not the tokenizer's: encoders that share a
  /// vocabulary may have learnt other paddings.
  std::optional<std::int64_t> pad = std::nullopt;

  bool operator==(const TextEncoderInfo&) const = default;
};

/// The size and time of change of a file when it was hashed. While both are the same, the hash is
/// taken to be the same too.
struct FileStamp {
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0;  ///< see time_of_change_ns
  bool operator==(const FileStamp&) const = default;
};

/// The content of `bundle.json`: all that the program must know of a model without opening its
/// parts.
struct BundleInfo {
  std::string name;
  ModelFamily family = ModelFamily::kSd1;
  std::vector<TextEncoderInfo> text_encoders = {{}};  ///< at least one; their outputs are joined
  bool size_ids = false;  ///< whether the UNet is told the image's size, see make_size_ids()
  /// Whether an empty negative prompt is zeros in place of what the text encoders make of no text.
  bool zero_empty_negative = false;
  int native_size_px = 512;  ///< side of the square pictures that the model was trained on
  int latent_channels = 4;
  /// Whether the UNet also reads a mask and the latents of what the mask leaves of a picture.
  bool inpainting = false;
  int vae_factor = 8;             ///< pixels to a latent, along each side
  double latent_scale = 0.18215;  ///< latents = scale × the VAE's
  /// Of the VAE's latents, for each channel: latents = scale × (the VAE's − mean) / deviation.
  /// Both empty: 0 and 1.
  std::vector<double> latent_mean = {};
  std::vector<double> latent_deviation = {};
  SamplingAdvice advice;
  std::string init_text = "person";  ///< recommended start of a new embedding
  /// The words of the captions that it learnt from, in lower case; empty: too many to be listed.
  std::vector<std::string> known_words;
  NoiseScheduleConfig noise_schedule;
  TokenizerSettings tokenizer;
  IdentitySettings identity;
  std::string dtype = "fp32";  ///< of the weights on disk: fp32, fp16, bf16
  std::string licence;
  std::string origin;                         ///< what it was made from; never an absolute path
  std::map<std::string, std::string> sha256;  ///< of every other file, by its path in the bundle
  std::map<std::string, FileStamp> stamps;    ///< of the weights, by their path in the bundle

  /// W of each text encoder: an embedding of this model has a matrix of each of these widths.
  std::vector<std::int64_t> text_widths() const;
  /// What the UNet reads: latents, and those and a mask besides if it is an inpainting model.
  int input_channels() const { return inpainting ? 2 * latent_channels + 1 : latent_channels; }
  /// Of the context, which is the text encoders' outputs side by side.
  int context_width() const;
  /// Layers that every text encoder has: how many can be skipped is one less.
  int text_layers() const;
};

struct BorrowedVae;  // sdx/model/import/borrowed_vae.h

/// A folder that is a model: TorchScript programs, their weights, the tokenizer. See
/// docs/formats.md for the format.
class Bundle {
 public:
  /// Reads and checks `bundle.json`; opens nothing else.
  /// @throws MissingInputError if `folder` is no bundle; DataError naming the key that is wrong.
  static Bundle open(const std::filesystem::path& folder);

  /// A bundle by its name or path, as `--model` takes it: a path if it is a folder with a
  /// bundle.json, else a folder of that name in one of list_model_folders() (model_folders.h): the
  /// models of all users, one's own, and the toolkit's.
  /// @param setting that named it, for messages
  /// @throws MissingInputError listing where it looked and which models there are;
  ///         PermissionError with the path of what may not be read, if it is not found elsewhere.
  static Bundle find(const std::string& name_or_path, const std::string& setting = "model");

  /// The same model with another autoencoder, whose scale info() then says.
  Bundle with_vae(std::shared_ptr<const BorrowedVae> vae) const;

  /// The autoencoder in the place of its own; null: it has its own.
  const std::shared_ptr<const BorrowedVae>& borrowed_vae() const { return vae_; }

  /// The bundles in the folders that find() searches, by name; of one name, the one that it would
  /// find. Behind them the folders there that may not be read: open() says so of each.
  static std::vector<std::filesystem::path> installed();

  const BundleInfo& info() const { return info_; }
  const std::filesystem::path& folder() const { return folder_; }

  /// First 10 hex digits of the SHA-256 of the UNet's weights (or of the link to them): what
  /// pictures name the model by.
  std::string short_hash() const;

  /// The path of a file of the bundle, its bytes checked against the manifest. Weights that have
  /// the size and time of change that the manifest notes are not read for it: that takes seconds.
  /// @throws DataError naming the file and both hashes, MissingInputError.
  std::filesystem::path checked_file(const std::string& relative_path) const;

  /// The same, every byte being read: finds what a disk has changed by itself.
  std::filesystem::path reread_file(const std::string& relative_path) const;

  /// The same, and the very bytes that were hashed: for TorchScript, which can run code on loading.
  std::string checked_bytes(const std::string& relative_path) const;

  bool has_file(const std::string& relative_path) const;

  std::unique_ptr<Tokenizer> load_tokenizer() const;

 private:
  Bundle(std::filesystem::path folder, BundleInfo info)
      : folder_(std::move(folder)), info_(std::move(info)) {}

  std::filesystem::path folder_;
  BundleInfo info_;
  std::shared_ptr<const BorrowedVae> vae_;
};

/// Writes `bundle.json` into `folder`, with the hash of every file that is there, and the stamps of
/// the weights among them.
/// @param heed  called now and then while they are hashed; may throw to stop
/// @throws as write_file_atomically.
void write_bundle_info(
    const std::filesystem::path& folder, BundleInfo info,
    const std::function<void()>& heed = [] {});

}  // namespace sdx
