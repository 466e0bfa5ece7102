#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/image/face.h"
#include "sdx/image/identity.h"
#include "sdx/image/image.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// How a picture becomes square.
enum class Crop {
  kFace,    ///< around a face, where one is found; else like kCentre
  kCentre,  ///< the largest square in the middle
  kNone,    ///< nothing is cut: what a square lacks at two sides mirrors the picture's own edges
};

template <>
inline constexpr std::array kEnumTexts<Crop> = {EnumText{Crop::kFace, "face"},
                                                EnumText{Crop::kCentre, "center"},
                                                EnumText{Crop::kNone, "none"}};

/// Which of several faces in a picture is the person's.
enum class FaceChoice {
  kLargest,
  kCentre,  ///< nearest to the middle of the picture
  kMatch,   ///< that of the person who recurs in the other pictures; without an identity encoder
            ///< as kLargest
};

template <>
inline constexpr std::array kEnumTexts<FaceChoice> = {EnumText{FaceChoice::kLargest, "largest"},
                                                      EnumText{FaceChoice::kCentre, "center"},
                                                      EnumText{FaceChoice::kMatch, "match"}};

/// How a folder of portraits is read.
struct PortraitOptions {
  int size_px = 512;                       ///< side of the squares: what the model takes
  Crop crop = Crop::kFace;                 ///< how pictures become square
  FaceChoice face = FaceChoice::kLargest;  ///< whose face, where there are several
  bool strict = false;                     ///< a file that can't be used is an error
};

/// A file in a folder of portraits, and the square that was made of it.
struct Portrait {
  std::filesystem::path file;
  std::string problem;  ///< why it is not used; empty if it is
  int width_px = 0;     ///< upright, before cropping; 0 if it could not be read
  int height_px = 0;
  int exif_orientation = 1;
  int faces = 0;             ///< how many were found
  std::optional<Face> face;  ///< the person's, in the upright picture
  Crop crop = Crop::kNone;   ///< kNone: the whole picture
  Rect area;             ///< the square that was taken; with kNone it may reach beyond the picture
  double sharpness = 0;  ///< of that square, see sdx/image/quality.h
  bool is_blurred = false;  ///< it is used all the same
  bool is_stray = false;    ///< shows someone else, see strays.h; it is used all the same
  /// Of the person, by the identity encoder; empty without one or where it sees no face.
  std::vector<float> identity;
  Image image;  ///< the square at the model's size; empty if not used

  bool used() const { return problem.empty(); }
};

/// Textual inversion needs to see a person more than once or twice.
inline constexpr int kFewestPortraits = 3;

/// Looks at every file of `folder` (not of its subfolders; hidden files are passed over), in the
/// order of names: decodes it upright, finds its faces, makes it square and scales it to
/// `size_px`; nothing is ever squashed. A file that can't be used says why: for example, the
/// square's side is below a quarter of `size_px`, or the picture is an earlier one saved again.
///
/// A picture that is square already was cropped by someone: it stays whole unless its face is
/// small.
/// @param faces may be null: then no face is known.
/// @param identity may be null; needed for FaceChoice::kMatch and strays.
/// @throws MissingInputError if there is no such folder; with `strict`, for the first file that
///         can't be used, what decode_image throws, or DataError, naming the file.
std::vector<Portrait> load_portraits(const std::filesystem::path& folder,
                                     const PortraitOptions& options, const FaceFinder* faces,
                                     const IdentityEncoder* identity = nullptr);

/// @throws MissingInputError (66) if fewer than kFewestPortraits are used, with the problem of each
///         file that isn't.
void check_enough_portraits(const std::filesystem::path& folder,
                            const std::vector<Portrait>& portraits);

/// Where `area` of the picture lies in the square that `portrait` became, in pixels of `image`.
Rect in_square(const Portrait& portrait, const Rect& area);

}  // namespace sdx
