#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/enum_text.h"

namespace sdx {

/// The kinds of subject that a new word can stand for.
enum class SubjectKind { kPerson, kObject, kStyle };

template <>
inline constexpr std::array kEnumTexts<SubjectKind> = {EnumText{SubjectKind::kPerson, "person"},
                                                       EnumText{SubjectKind::kObject, "object"},
                                                       EnumText{SubjectKind::kStyle, "style"}};

/// The sentences that a word is learnt in, one on each line of a text file, each with `{name}` in
/// it: "a rendering of {name}". Empty lines are passed over.
/// @throws DataError naming the line without `{name}`, or a file without sentences; as read_file.
std::vector<std::string> load_templates(const std::filesystem::path& file);

/// The toolkit's own for a kind, `templates/<kind>.txt` in its data folder. Those of objects and
/// styles are the lists of the reference implementation (Gal et al. 2022), as diffusers has them.
std::vector<std::string> load_templates(SubjectKind kind);

/// The prompts with {name} that an embedding is evaluated by, `templates/previews.txt` in the data
/// folder.
/// @throws as load_templates.
std::vector<std::string> load_previews();

}  // namespace sdx
