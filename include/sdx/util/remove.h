#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sdx {

/// `folder / name`, where `name` is one component of a path: not empty, not "." or "..", without a
/// slash or a NUL byte. Whatever a person typed or a file says becomes part of a path only so.
/// @param what   for the message: "the name", "the model"
/// @throws UsageError that repeats the name
std::filesystem::path join_inside(const std::filesystem::path& folder, const std::string& name,
                                  const std::string& what);

/// Every file, link and other entry but folders at `within` and below it, in order.
///
/// The walk goes by descriptors from `root` on and follows no symbolic link below it: a link is an
/// entry of its own, and what it points to is never seen.
/// @param root    a folder; it may itself be reached through a link, since a person typed it
/// @param within  relative, of plain components; names the entry that is listed
/// @return paths relative to `root`; none if nothing is at `within`
/// @throws UsageError if `within` is empty, absolute, or has "." or ".." in it; DataError if a
///         folder on the way to `within` is a symbolic link; PermissionError or IoError
std::vector<std::filesystem::path> list_inside(const std::filesystem::path& root,
                                               const std::filesystem::path& within);

/// Removes what list_inside lists, and the folders at `within` and below it. Nothing outside `root`
/// can be reached: each component is opened with O_NOFOLLOW below the descriptor of the one before,
/// so a folder that somebody exchanges for a link meanwhile is not followed either.
/// @return paths relative to `root`, as list_inside
/// @throws as list_inside; what was removed until then stays removed
std::vector<std::filesystem::path> remove_inside(const std::filesystem::path& root,
                                                 const std::filesystem::path& within);

}  // namespace sdx
