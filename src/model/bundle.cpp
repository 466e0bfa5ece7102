#include "sdx/model/bundle.h"

#include <algorithm>
#include <vector>

#include "sdx/model/import/borrowed_vae.h"
#include "sdx/model/model_folders.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr int kFormatVersion = 2;
constexpr const char* kManifest = "bundle.json";

/// The list is there where a model has several text encoders; one is described by two keys, as it
/// was before there could be several.
std::vector<TextEncoderInfo> parse_text_encoders(const Json& json, const fs::path& file) {
  if (!json.contains("text_encoders")) {
    return {{"text_encoder", json_value<int>(json, "text_width", file),
             json_value<int>(json, "text_layers", file)}};
  }
  std::vector<TextEncoderInfo> encoders;
  for (const Json& entry : json_value<Json>(json, "text_encoders", file)) {
    TextEncoderInfo encoder{json_value<std::string>(entry, "part", file),
                            json_value<int>(entry, "width", file),
                            json_value<int>(entry, "layers", file)};
    if (entry.contains("pad")) encoder.pad = json_value<std::int64_t>(entry, "pad", file);
    encoders.push_back(encoder);
  }
  if (encoders.empty()) {
    throw DataError(file.string() + ": text_encoders: expected at least one, found none");
  }
  return encoders;
}

void add_text_encoders(Json& json, const std::vector<TextEncoderInfo>& encoders) {
  if (encoders.size() == 1) {
    json["text_width"] = encoders.front().width;
    json["text_layers"] = encoders.front().layers;
    return;
  }
  for (const TextEncoderInfo& encoder : encoders) {
    Json entry = {{"part", encoder.part}, {"width", encoder.width}, {"layers", encoder.layers}};
    if (encoder.pad) entry["pad"] = *encoder.pad;
    json["text_encoders"].push_back(std::move(entry));
  }
}

BundleInfo parse_info(const Json& json, const fs::path& file) {
  const int format = json_value<int>(json, "format", file);
  if (format != kFormatVersion) {
    throw DataError(file.string() + ": format: expected " + std::to_string(kFormatVersion) +
                    ", found " + std::to_string(format) +
                    "; import the model again with this version");
  }
  BundleInfo info;
  info.name = json_value<std::string>(json, "name", file);
  info.family = json_enum<ModelFamily>(json, "family", file);
  info.text_encoders = parse_text_encoders(json, file);
  if (json.contains("size_ids")) info.size_ids = json_value<bool>(json, "size_ids", file);
  info.zero_empty_negative = json_value<bool>(json, "zero_empty_negative", file, false);
  info.native_size_px = json_value<int>(json, "native_size_px", file);
  info.latent_channels = json_value<int>(json, "latent_channels", file);
  info.inpainting = json_value<bool>(json, "inpainting", file, false);
  info.vae_factor = json_value<int>(json, "vae_factor", file);
  info.latent_scale = json_value<double>(json, "latent_scale", file);
  for (const auto& [key, values] : {std::pair{"latent_mean", &info.latent_mean},
                                    {"latent_deviation", &info.latent_deviation}}) {
    if (!json.contains(key)) continue;
    *values = json_value<std::vector<double>>(json, key, file);
    if (values->size() == static_cast<std::size_t>(info.latent_channels)) continue;
    throw DataError(file.string() + ": " + key + ": expected a number for each of " +
                    std::to_string(info.latent_channels) + " channels, found " +
                    std::to_string(values->size()));
  }
  info.advice.guidance_scale = json_value<double>(json, "guidance_scale", file);
  if (json.contains("sampler")) info.advice.sampler = json_enum<SamplerKind>(json, "sampler", file);
  info.init_text = json_value<std::string>(json, "init_text", file);
  info.known_words =
      json_value<std::vector<std::string>>(json, "known_words", file, std::vector<std::string>());
  const Json schedule = json_value<Json>(json, "noise_schedule", file);
  info.noise_schedule.beta_schedule = json_enum<BetaSchedule>(schedule, "beta_schedule", file);
  if (info.noise_schedule.beta_schedule == BetaSchedule::kEdm) {
    EdmLevels& edm = info.noise_schedule.edm;
    edm.lowest = json_value<double>(schedule, "sigma_min", file);
    edm.highest = json_value<double>(schedule, "sigma_max", file);
    edm.data = json_value<double>(schedule, "sigma_data", file);
  } else {
    info.noise_schedule.beta_start = json_value<double>(schedule, "beta_start", file);
    info.noise_schedule.beta_end = json_value<double>(schedule, "beta_end", file);
  }
  info.noise_schedule.train_timesteps = json_value<int>(schedule, "train_timesteps", file);
  info.noise_schedule.prediction_type =
      json_enum<PredictionType>(schedule, "prediction_type", file);
  info.noise_schedule.steps_offset = json_value<int>(schedule, "steps_offset", file);
  if (schedule.contains("zero_terminal_snr")) {
    info.noise_schedule.zero_terminal_snr = json_value<bool>(schedule, "zero_terminal_snr", file);
  }
  if (schedule.contains("timestep_spacing")) {
    info.noise_schedule.timestep_spacing =
        json_enum<TimestepSpacing>(schedule, "timestep_spacing", file);
  }
  const Json tokenizer = json_value<Json>(json, "tokenizer", file);
  info.tokenizer.kind = json_enum<TokenizerKind>(tokenizer, "kind", file);
  SpecialTokens& tokens = info.tokenizer.special_tokens;
  tokens.begin = json_value<std::int64_t>(tokenizer, "begin", file);
  tokens.end = json_value<std::int64_t>(tokenizer, "end", file);
  tokens.pad = json_value<std::int64_t>(tokenizer, "pad", file);
  tokens.max_length = json_value<int>(tokenizer, "max_length", file);
  if (json.contains("identity")) {
    const Json identity = json_value<Json>(json, "identity", file);
    info.identity.size_px = json_value<int>(identity, "size_px", file);
    info.identity.same_person_cosine = json_value<double>(identity, "same_person_cosine", file);
  }
  info.dtype = json_value<std::string>(json, "dtype", file);
  info.licence = json_value<std::string>(json, "licence", file);
  info.origin = json_value<std::string>(json, "origin", file);
  info.sha256 = json_value<std::map<std::string, std::string>>(json, "sha256", file);
  if (json.contains("stamps")) {
    const Json stamps = json_value<Json>(json, "stamps", file);
    for (const auto& [path, stamp] : stamps.items()) {
      info.stamps[path] = {json_value<std::uint64_t>(stamp, "bytes", file),
                           json_value<std::int64_t>(stamp, "changed_ns", file)};
    }
  }
  return info;
}

Json describe_schedule(const NoiseScheduleConfig& schedule) {
  Json json = {{"beta_schedule", to_string(schedule.beta_schedule)}};
  if (schedule.beta_schedule == BetaSchedule::kEdm) {
    json.update({{"sigma_min", schedule.edm.lowest},
                 {"sigma_max", schedule.edm.highest},
                 {"sigma_data", schedule.edm.data}});
  } else {
    json.update({{"beta_start", schedule.beta_start}, {"beta_end", schedule.beta_end}});
  }
  json.update({{"train_timesteps", schedule.train_timesteps},
               {"prediction_type", to_string(schedule.prediction_type)},
               {"steps_offset", schedule.steps_offset}});
  if (schedule.zero_terminal_snr) json["zero_terminal_snr"] = true;
  if (schedule.timestep_spacing) json["timestep_spacing"] = to_string(*schedule.timestep_spacing);
  return json;
}

Json to_json(const BundleInfo& info) {
  const SpecialTokens& tokens = info.tokenizer.special_tokens;
  Json json = {{"format", kFormatVersion}, {"name", info.name}, {"family", to_string(info.family)}};
  add_text_encoders(json, info.text_encoders);
  if (info.size_ids) json["size_ids"] = true;
  if (info.inpainting) json["inpainting"] = true;
  if (info.zero_empty_negative) json["zero_empty_negative"] = true;
  if (!info.known_words.empty()) json["known_words"] = info.known_words;
  json.update({{"native_size_px", info.native_size_px},
               {"latent_channels", info.latent_channels},
               {"vae_factor", info.vae_factor},
               {"latent_scale", info.latent_scale},
               {"guidance_scale", info.advice.guidance_scale},
               {"init_text", info.init_text},
               {"noise_schedule", describe_schedule(info.noise_schedule)},
               {"tokenizer",
                {{"kind", to_string(info.tokenizer.kind)},
                 {"begin", tokens.begin},
                 {"end", tokens.end},
                 {"pad", tokens.pad},
                 {"max_length", tokens.max_length}}},
               {"dtype", info.dtype},
               {"licence", info.licence},
               {"origin", info.origin},
               {"sha256", info.sha256}});
  if (info.advice.sampler != SamplingAdvice{}.sampler)
    json["sampler"] = to_string(info.advice.sampler);
  if (!info.latent_mean.empty()) json["latent_mean"] = info.latent_mean;
  if (!info.latent_deviation.empty()) json["latent_deviation"] = info.latent_deviation;
  for (const auto& [path, stamp] : info.stamps) {
    json["stamps"][path] = {{"bytes", stamp.bytes}, {"changed_ns", stamp.changed_ns}};
  }
  if (info.identity.size_px > 0) {
    json["identity"] = {{"size_px", info.identity.size_px},
                        {"same_person_cosine", info.identity.same_person_cosine}};
  }
  return json;
}

enum class Presence { kBundle, kNone, kForbidden };

/// Whether a folder is a bundle, as far as we may look.
Presence find_presence(const fs::path& folder) {
  std::error_code failure;
  const fs::file_status status = fs::status(folder / kManifest, failure);
  if (failure == std::errc::permission_denied) return Presence::kForbidden;
  return fs::is_regular_file(status) ? Presence::kBundle : Presence::kNone;
}

/// What is in those folders.
struct Installed {
  std::map<std::string, fs::path> bundles;  ///< by name; of one name, the first
  std::vector<fs::path> forbidden;          ///< folders that we may not look into
};

Installed list_installed() {
  Installed found;
  for (const fs::path& folder : list_model_folders()) {
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(folder, failure)) {
      // No model is called so; an import makes its bundle in such a folder.
      if (entry.path().filename().string().starts_with('.')) continue;
      const Presence presence = find_presence(entry.path());
      if (presence == Presence::kBundle) {
        found.bundles.emplace(entry.path().filename().string(), entry.path());
      }
      if (presence == Presence::kForbidden) found.forbidden.push_back(entry.path());
    }
    if (failure == std::errc::permission_denied) found.forbidden.push_back(folder);
  }
  return found;
}

}  // namespace

std::vector<std::int64_t> BundleInfo::text_widths() const {
  std::vector<std::int64_t> widths;
  for (const TextEncoderInfo& encoder : text_encoders) widths.push_back(encoder.width);
  return widths;
}

int BundleInfo::context_width() const {
  int width = 0;
  for (const TextEncoderInfo& encoder : text_encoders) width += encoder.width;
  return width;
}

int BundleInfo::text_layers() const {
  return std::ranges::min(text_encoders, {}, &TextEncoderInfo::layers).layers;
}

Bundle Bundle::open(const fs::path& folder) {
  const fs::path file = folder / kManifest;
  return Bundle(folder, parse_info(read_json_file(file), file));
}

std::vector<fs::path> Bundle::installed() {
  const Installed installed = list_installed();
  std::vector<fs::path> folders;
  for (const auto& [name, folder] : installed.bundles) folders.push_back(folder);
  folders.insert(folders.end(), installed.forbidden.begin(), installed.forbidden.end());
  return folders;
}

Bundle Bundle::with_vae(std::shared_ptr<const BorrowedVae> vae) const {
  Bundle bundle = *this;
  bundle.info_.latent_scale = vae->latent_scale;
  bundle.info_.latent_mean = vae->latent_mean;
  bundle.info_.latent_deviation = vae->latent_deviation;
  bundle.vae_ = std::move(vae);
  return bundle;
}

Bundle Bundle::find(const std::string& name_or_path, const std::string& setting) {
  std::vector<fs::path> places = {name_or_path};
  const bool is_name = !name_or_path.empty() && name_or_path.find('/') == std::string::npos;
  if (is_name) {
    for (const fs::path& folder : list_model_folders()) places.push_back(folder / name_or_path);
  }
  std::optional<fs::path> forbidden;
  for (const fs::path& place : places) {
    const Presence presence = find_presence(place);
    if (presence == Presence::kBundle) return open(place);
    if (presence == Presence::kForbidden && !forbidden) forbidden = place;
  }
  if (forbidden) {
    throw PermissionError("`" + setting + "` " + name_or_path + ": " + forbidden->string() +
                          " may not be read by this user (permission denied); its owner can allow "
                          "it: chmod -R a+rX " +
                          forbidden->string());
  }
  std::string known;
  for (const auto& [name, folder] : list_installed().bundles) {
    known += (known.empty() ? "" : ", ") + name;
  }
  throw MissingInputError("`" + setting + "` " + name_or_path +
                          ": no such model; known are: " + (known.empty() ? "none" : known) +
                          ". sdx-model import makes one of a checkpoint");
}

std::string Bundle::short_hash() const {
  for (const char* file : {"unet.safetensors", "unet.link.json", "unet.ts"}) {
    if (has_file(file)) return info_.sha256.at(file).substr(0, 10);
  }
  return "";
}

bool Bundle::has_file(const std::string& relative_path) const {
  return info_.sha256.contains(relative_path);
}

namespace {

FileStamp make_stamp(const fs::path& file) {
  return {fs::file_size(file), time_of_change_ns(file)};
}

void check_hash(const BundleInfo& info, const fs::path& file, const std::string& relative_path,
                const std::string& found) {
  const auto expected = info.sha256.find(relative_path);
  if (expected == info.sha256.end()) {
    throw DataError(file.string() + ": not in the bundle's manifest; import the model again");
  }
  if (found != expected->second) {
    throw DataError(file.string() + ": changed since it was imported: expected SHA-256 " +
                    expected->second + ", found " + found + "; import the model again");
  }
}

}  // namespace

fs::path Bundle::checked_file(const std::string& relative_path) const {
  const fs::path file = folder_ / relative_path;
  const auto stamp = info_.stamps.find(relative_path);
  std::error_code failure;  // what may not be read is said by the reading
  const bool is_known =
      stamp != info_.stamps.end() && has_file(relative_path) && fs::is_regular_file(file, failure);
  if (is_known && stamp->second == make_stamp(file)) return file;
  return reread_file(relative_path);
}

fs::path Bundle::reread_file(const std::string& relative_path) const {
  const fs::path file = folder_ / relative_path;
  check_hash(info_, file, relative_path, sha256_of_file(file));
  return file;
}

std::string Bundle::checked_bytes(const std::string& relative_path) const {
  const fs::path file = folder_ / relative_path;
  std::string bytes = read_file(file);
  check_hash(info_, file, relative_path, sha256_hex(bytes));
  return bytes;
}

std::unique_ptr<Tokenizer> Bundle::load_tokenizer() const {
  for (const auto& [relative_path, hash] : info_.sha256) {
    if (relative_path.starts_with("tokenizer/")) checked_file(relative_path);
  }
  return sdx::load_tokenizer(folder_ / "tokenizer", info_.tokenizer);
}

void write_bundle_info(const fs::path& folder, BundleInfo info, const std::function<void()>& heed) {
  info.sha256.clear();
  info.stamps.clear();
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string relative_path = entry.path().lexically_relative(folder).string();
    if (!entry.is_regular_file() || relative_path == kManifest) continue;
    // Before the hash: what is changed meanwhile must not look unchanged.
    if (entry.path().extension() == ".safetensors") {
      info.stamps[relative_path] = make_stamp(entry.path());
    }
    info.sha256[relative_path] = sha256_of_file(entry.path(), heed);
  }
  write_file_atomically(folder / kManifest, to_json(info).dump(2) + "\n");
}

}  // namespace sdx
