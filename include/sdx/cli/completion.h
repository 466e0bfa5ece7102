#pragma once

#include <array>
#include <string>

#include "sdx/cli/command_line.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// The shells for which completions are written.
enum class Shell { kBash, kZsh, kFish };

template <>
inline constexpr std::array kEnumTexts<Shell> = {
    EnumText{Shell::kBash, "bash"}, EnumText{Shell::kZsh, "zsh"}, EnumText{Shell::kFish, "fish"}};

/// The file by which a shell completes a tool's parts, options and values: choices as the tables of
/// settings list them, files, learnt names in `embeddings/`, imported models, packs of prompts. It
/// starts no program, so completion is immediate.
std::string write_completion(const Command& tool, Shell shell);

/// Where that file belongs below an installation's `share`, by each shell's own convention:
/// "bash-completion/completions/sdx-train".
std::string find_completion_path(const Command& tool, Shell shell);

}  // namespace sdx
