#pragma once

#include "sdx/generation/image_options.h"

namespace sdx {

/// Adds the rows of ImageSettings::faces to the table of an image's settings.
void add_face_settings(SettingsTable<ImageOptions>& table);

/// Refuses what faces cannot have.
/// @throws UsageError for a prompt of faces that are not refined, for a LoRA in it, for {name} in
/// it
///         where the picture's prompt has no name, for `tile`.
void check_face_settings(const ImageRequest& request);

}  // namespace sdx
