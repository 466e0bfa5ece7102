#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdx/generation/settings.h"
#include "sdx/image/image.h"

namespace sdx {

// The parts of a picture around its faces: where they are, whose they are, and how a part that was
// made anew goes back.

/// A face of a picture, and the part of the picture that a model sees with it.
struct FacePart {
  Rect face;
  Rect area;
  /// Whose face it is. Empty: of nobody in particular.
  std::string name;
  std::size_t number = 0;  ///< among all faces of the picture, from the left; 0 is the first
};

/// The part around a face: the face with padding, cut off at the picture's edges, and then as near
/// to a square as the picture allows. The padding is never less than the soft edge reaches.
Rect find_face_area(const Rect& face, const FaceSettings& settings, ImageSize picture);

/// Whether a face takes less than the share of the picture that the settings name.
bool is_small_face(const Rect& face, const FaceSettings& settings, ImageSize picture);

/// Sorts by the middle of each face.
void sort_left_to_right(std::vector<Rect>& faces);

/// Whose faces these are: of one name all; of several the first names, one for each of the largest
/// faces from left to right. Further faces are nobody's.
/// @param faces from left to right
/// @return a name for each face; nothing for a face that no name is left for; without names ""
std::vector<std::optional<std::string>> name_left_to_right(const std::vector<Rect>& faces,
                                                           const std::vector<std::string>& names);

/// Whose faces these are, the most alike pair first.
/// @param faces, persons unit vectors of the faces, and one for each name
/// @return as name_left_to_right()
std::vector<std::optional<std::string>> name_by_likeness(
    const std::vector<std::vector<float>>& faces, const std::vector<std::vector<float>>& persons,
    const std::vector<std::string>& names);

/// White where the part is the new one, black where the picture stays, softened by a Gaussian. Of
/// the area's size.
/// @param kept of the picture's size, black where nothing may change; null: nowhere
Image make_face_mask(const FacePart& part, const FaceSettings& settings, const Image* kept);

/// Puts a part that was made anew into the picture, where the mask is white. Where it is black, no
/// byte changes.
/// @param made of any size; it is scaled to the area's
void blend_face(Image& picture, const Rect& area, const Image& made, const Image& mask);

/// The seed of a face's pass, from the picture's.
std::uint64_t derive_face_seed(std::uint64_t seed, std::size_t number);

}  // namespace sdx
