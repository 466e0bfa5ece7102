#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// What a new word stands for.
enum class SubjectKind { kPerson, kObject, kStyle };

std::string_view to_string(SubjectKind kind);
/// @throws UsageError for a word that is none of person, object, style.
SubjectKind parse_subject_kind(std::string_view text);

/// The sentences that a word is learnt in, one on each line of a text file, each with `{name}` in
/// it: "a rendering of {name}". Empty lines are passed over.
/// @throws DataError naming the line without `{name}`, or a file without sentences; as read_file.
std::vector<std::string> load_templates(const std::filesystem::path& file);

/// The toolkit's own for a kind, `templates/<kind>.txt` in its data folder. Those of objects and
/// styles are the lists of the reference implementation (Gal et al. 2022), as diffusers has them.
std::vector<std::string> load_templates(SubjectKind kind);

}  // namespace sdx
