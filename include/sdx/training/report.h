#pragma once

#include <filesystem>

namespace sdx {

/// Writes `report.html` into the folder of a run, of what lies there: curves of `metrics.jsonl`,
/// the crops (`portraits.png`), the previews (`previews/<step>.png`), the settings (`config.json`)
/// and the outcome (`summary.json`). All of it may be absent, as while a run goes on: what is there
/// is shown. Keys that are unknown and lines of the metrics that are no JSON are left out.
///
/// One file that needs nothing else and no network, which its content policy forbids: curves are
/// inline SVG, pictures are data. It is made of `<data folder>/report/`. Its script lays a portrait
/// and a preview side by side; without scripts the page shows all the rest.
/// @return the report's path.
/// @throws MissingInputError if `run_folder` is no folder; DataError naming the file that is not
///         what it should be; as make_page and write_file_atomically.
std::filesystem::path write_report(const std::filesystem::path& run_folder);

}  // namespace sdx
