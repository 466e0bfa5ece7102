#pragma once

#include <string>

#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/dataset/subject.h"

namespace sdx {

/// --face-detector and --face-network, in group "Input".
void add_face_options(OptionTable& table, std::string& face_detector, std::string& face_network);

/// --kind, --templates, --crop, --face, --mirror, --mask, --face-detector, --face-network,
/// --strict, in group
/// "Input".
void add_portrait_options(OptionTable& table, SubjectOptions& subject);

/// Shows the table of a folder: one line a file, and one JSON object a file with --json.
void show_portraits(const SubjectPortraits& subject, const SubjectOptions& options,
                    const CommonOptions& common);

}  // namespace sdx
