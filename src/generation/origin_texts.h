#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sdx/generation/foreign_infotext.h"
#include "sdx/util/json.h"

namespace sdx::origin {

// What the readers of other programs' texts share. Each program has two functions, which are a row
// of the table in foreign_infotext.cpp: is_x() tells whether an image's texts are its own; read_x()
// reads them, and throws Unreadable where that cannot be done.

/// An image's texts by keyword, see read_image_texts().
using Texts = std::map<std::string, std::string>;
// Sorted by key, so that a stranger's object of a million keys takes no quadratic time.
using Tree = nlohmann::json;

inline constexpr std::size_t kMaxJsonBytes = std::size_t{16} << 20U;
inline constexpr int kMaxJsonDepth = 100;
inline constexpr int kMostLinks = 32;  ///< of a graph that are followed one after the other

// Fields of an infotext that more than one program states.
inline constexpr const char* kSteps = "Steps";
inline constexpr const char* kSampler = "Sampler";
inline constexpr const char* kSchedule = "Schedule type";
inline constexpr const char* kGuidance = "CFG scale";
inline constexpr const char* kRescale = "CFG Rescale";
inline constexpr const char* kSeed = "Seed";
inline constexpr const char* kSize = "Size";
inline constexpr const char* kClipSkip = "Clip skip";
inline constexpr const char* kStrength = "Denoising strength";
inline constexpr const char* kStartImage = "Init image";
inline constexpr const char* kLora = "LoRA";
inline constexpr const char* kControlNet = "ControlNet";
inline constexpr const char* kRefiner = "Refiner";

/// Thrown where a program's way is known and this text of it cannot be read.
struct Unreadable {
  std::string reason;
};

std::string_view find_text(const Texts& texts, const std::string& key);

std::string_view parameters_in(const Texts& texts);

bool holds(std::string_view text, std::string_view part);

/// Whether a text is meant as JSON, damaged or not. A prompt may begin with "{a|b}" and
/// "[{a|b}:c:4]".
bool is_json(std::string_view text);

Tree parse_object(std::string_view text);

const Tree* find_member(const Tree& object, const std::string& key);

std::string text_member(const Tree& object, const std::string& key);

/// The prompt that an object states.
void take_prompts(const Tree& object, const std::string& positive, const std::string& negative,
                  ImageOrigin& origin);

/// A value as a setting's text; nothing for a list or an object.
std::optional<std::string> setting_text(const Tree& value);

/// Whether a value says that something was used: "None", 0, false and an empty list do not.
bool is_used(const Tree& value);

/// An object's keys in lower case with "_" for blanks: "Guidance Scale" → "guidance_scale".
Tree with_plain_keys(const Tree& object);

/// What a program calls a setting.
struct Naming {
  const char* theirs;
  const char* ours;      ///< a field of an infotext, or what it is that cannot be taken over
  bool is_lack = false;  ///< the latter: it counts whatever its value is, unless it is_used() not
};

void add_field(Infotext& infotext, const std::string& key, const std::string& value);

void take_settings(const Tree& object, std::span<const Naming> namings, Infotext& infotext);

void take_size(const Tree& object, Infotext& infotext);

}  // namespace sdx::origin
