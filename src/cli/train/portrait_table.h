#pragma once

#include "sdx/cli/tool.h"
#include "sdx/dataset/subject.h"

namespace sdx {

/// Shows the table of a folder: one line a file, and one JSON object a file with --json.
void show_portraits(const SubjectPortraits& subject, const SubjectOptions& options,
                    const CommonOptions& common);

}  // namespace sdx
