#pragma once

#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/dataset/subject.h"

namespace sdx {

/// --kind, --templates, --crop, --face, --mirror, --mask, --face-detector, --face-network,
/// --strict, in group
/// "Input".
void add_portrait_options(OptionTable& table, SubjectOptions& subject);

/// Shows the table of a folder: one line a file, and one JSON object a file with --json.
void show_portraits(const SubjectPortraits& subject, const SubjectOptions& options,
                    const CommonOptions& common);

}  // namespace sdx
