#include "cli/roster/roster_checks.h"

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

#include "cli/roster/roster_reporter.h"
#include "sdx/cli/tool.h"
#include "sdx/generation/image_size.h"
#include "sdx/model/upscaler.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace fs = std::filesystem;

void check_problems(const CheckedTeam& team, const TeamOptions& options,
                    const CommonOptions& common) {
  for (const std::string& remark : team.remarks) say(remark);
  const std::size_t usable = team.plan.members.size();
  if (team.problems.empty() && usable > 0) return;
  show_problems(team.problems, common);
  if (team.problems.empty()) throw DataError(options.roster + ": names nobody");
  if (options.keep_going && usable > 0) {
    say("Continuing with the other " + count_in_words(usable, "person", "people"));
    return;
  }
  const RosterProblem& first = team.problems.front();
  const std::string advice = usable > 0 ? "--keep-going continues with the other " +
                                              count_in_words(usable, "person", "people")
                                        : "nobody is left";
  throw Error(first.code, first.where + (first.name.empty() ? "" : ", " + first.name) + ": " +
                              first.text + ". Nothing was started (" +
                              count_in_words(team.problems.size(), "row", "rows") +
                              " cannot be used); " + advice);
}

void check_disk_space(const TeamPlan& plan, const BundleInfo& info) {
  constexpr double kBytesPerTraining = 20e6;
  std::map<std::string, int> scales;  // of the networks that make pictures larger
  const auto find_scale = [&](const std::string& upscale) {
    if (upscale.empty()) return 1;
    int& scale = scales[upscale];
    if (scale == 0) scale = Upscaler(find_upscaler(upscale), c10::DeviceType::CPU).scale();
    return scale;
  };
  const auto count_bytes = [&](const ImageRequest& request) {
    const ImageSettings& settings = request.settings;
    const ImageSize size = image_size(settings, info);
    const double larger = settings.hires.scale * find_scale(settings.upscale);
    return 3.0 * size.width_px * size.height_px * larger * larger;
  };
  double needed = kBytesPerTraining * static_cast<double>(plan.members.size());
  for (const ImageRequest& request : plan.group_images) needed += count_bytes(request);
  for (const TeamMember& member : plan.members) {
    for (const ImageRequest& request : member.images) needed += count_bytes(request);
  }
  const auto available = static_cast<double>(fs::space(plan.folder.root).available);
  if (needed <= available) return;
  throw IoError(plan.folder.root.string() + ": may need " +
                bytes_text(static_cast<std::uint64_t>(needed)) + ", and " +
                bytes_text(static_cast<std::uint64_t>(available)) + " are free on its disk");
}

}  // namespace sdx
