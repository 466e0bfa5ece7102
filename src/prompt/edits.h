#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "prompt/lexer.h"
#include "sdx/prompt/grammar.h"

namespace sdx {

struct Edit;
struct Alternation;

/// A stretch of a prompt: tokens as they stand, or something that changes from step to step.
struct EditNode {
  PromptTokens tokens;
  std::shared_ptr<const Edit> edit;
  std::shared_ptr<const Alternation> alternation;
};

using EditNodes = std::vector<EditNode>;

/// The number of an edit.
struct EditTime {
  double value = 0;
  bool is_fraction = false;  ///< of the steps
};

struct Edit {
  EditNodes before;
  EditNodes after;
  EditTime when;
};

/// One choice in each step, in turns.
struct Alternation {
  std::vector<EditNodes> choices;
};

/// The edits and alternations of a prompt without AND. The grammar is that of AUTOMATIC1111's
/// `schedule_parser`:
///
///     start      = { prompt | one of "[]():" }
///     prompt     = { "(" prompt [":" prompt] ")" | "[" prompt "]" | edit | alternation | plain }
///     edit       = "[" [prompt ":"] prompt ":" number "]"
///     alternation = "[" prompt "|" prompt { "|" prompt } "]"
///     plain      = any but "\[]():|", or "\" and any
///
/// A prompt that has none of these forms is one node. Examples are a "|" without brackets and a "\"
/// at the end.
EditNodes parse_edits(const PromptTokens& tokens);

/// What holds until a step.
struct EditStage {
  int last_step = 0;
  PromptTokens tokens;
};

/// The stages one after the other, in ascending order of their steps; at least one.
std::vector<EditStage> resolve_edits(const EditNodes& nodes, const PromptSteps& steps);

}  // namespace sdx
