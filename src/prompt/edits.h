#pragma once

#include <string>
#include <vector>

#include "sdx/prompt/grammar.h"

namespace sdx {

/// A prompt without AND, its edits and alternations resolved into the texts that hold one after the
/// other. The grammar is that of AUTOMATIC1111's `schedule_parser`:
///
///     start      = { prompt | one of "[]():" }
///     prompt     = { "(" prompt [":" prompt] ")" | "[" prompt "]" | edit | alternation | plain }
///     edit       = "[" [prompt ":"] prompt ":" number "]"
///     alternation = "[" prompt "|" prompt { "|" prompt } "]"
///     plain      = any but "\[]():|", or "\" and any
std::vector<PromptStage> resolve_edits(const std::string& text, const PromptSteps& steps);

}  // namespace sdx
