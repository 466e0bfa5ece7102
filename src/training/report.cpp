#include "sdx/training/report.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>

#include "sdx/image/contact_sheet.h"
#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/image/write.h"
#include "sdx/util/base64.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/file.h"
#include "sdx/util/html.h"
#include "sdx/util/page.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "training/chart.h"
#include "training/run_record.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMeanOver = 5;  // looks at the fixed batch

std::string to_text(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A key of the summary as text; empty where it is absent.
std::string summary_text(const RunRecord& run, const char* key) {
  const auto found = run.summary.find(key);
  return found == run.summary.end() || found->is_null() ? "" : to_text(*found);
}

std::optional<double> summary_number(const RunRecord& run, const char* key) {
  const auto found = run.summary.find(key);
  if (found == run.summary.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string fact(const std::string& term, const std::string& value, const std::string& note = "") {
  return "<div><dt>" + term + "</dt><dd>" + escape_html(value) +
         (note.empty() ? "" : "<small>" + escape_html(note) + "</small>") + "</dd></div>\n";
}

/// The name as prompts have it: "<Ada>".
std::string choose_name(const RunRecord& run) {
  std::string name = summary_text(run, "name");
  if (name.empty() && run.config.contains("name")) name = to_text(run.config["name"]);
  return name.empty() ? "A training run" : "<" + name + ">";
}

std::string write_lead(const RunRecord& run) {
  if (run.summary.empty()) return "This run has not come to its end yet.";
  const std::string model = summary_text(run, "model");
  const std::string embedding = summary_text(run, "embedding");
  const std::string reason = summary_text(run, "stopped_because");
  std::string lead = "The embedding was trained";
  if (!model.empty()) lead += " with the model " + model;
  if (!embedding.empty()) lead += " and written to " + embedding;
  lead += ".";
  if (!reason.empty()) lead += " Training stopped: " + reason + ".";
  return lead;
}

std::string list_facts(const RunRecord& run) {
  std::string facts;
  const auto before = summary_number(run, "likeness_before");
  const auto after = summary_number(run, "likeness_after");
  if (before && after) {
    facts += fact("Likeness", fixed_number(*before, 2) + " → " + fixed_number(*after, 2),
                  "at the start → as kept");
  }
  if (const auto steps = summary_number(run, "steps")) {
    facts += fact("Steps", short_number(*steps, 9),
                  run.best_step ? "kept: step " + std::to_string(*run.best_step) : "");
  }
  if (const auto seconds = summary_number(run, "seconds"))
    facts += fact("Time", duration_text(*seconds));
  if (const auto memory = summary_number(run, "peak_memory_gb")) {
    facts += fact("Memory", short_number(*memory) + " GB", "at its peak");
  }
  return facts.empty() ? "" : "<dl class=\"facts\">\n" + facts + "</dl>\n";
}

std::string section(const std::string& title, const std::string& content) {
  if (content.empty()) return "";
  const std::string id = "section-" + title;
  return "<section aria-labelledby=\"" + id + "\">\n<h2 id=\"" + id + "\">" + title + "</h2>\n" +
         content + "</section>\n";
}

std::string grid(const char* classes, const std::string& content) {
  return content.empty() ? ""
                         : "<div class=\"" + std::string(classes) + "\">\n" + content + "</div>\n";
}

Series running_mean(const Series& series) {
  Series means;
  std::deque<double> window;
  for (const auto& [step, value] : series) {
    window.push_back(value);
    if (window.size() > kMeanOver) window.pop_front();
    means[step] =
        std::accumulate(window.begin(), window.end(), 0.0) / static_cast<double>(window.size());
  }
  return means;
}

bool all_positive(const Series& series) {
  return std::all_of(series.begin(), series.end(), [](const auto& p) { return p.second > 0; });
}

std::string curves(const RunRecord& run) {
  const std::string mean = "mean of the last " + std::to_string(kMeanOver);
  const std::string large = render_chart({"How alike, how obedient",
                                          "0 … 1, more is better",
                                          {{"likeness", run.likeness},
                                           {"obedience", run.obedience},
                                           {"score = likeness × obedience", run.score}},
                                          AxisScale::kLinear,
                                          run.score.empty() ? std::nullopt : run.best_step}) +
                            render_chart({"Loss on the fixed batch",
                                          "mean squared error",
                                          {{"measured", run.fixed_loss, CurveStyle::kFaint},
                                           {mean, running_mean(run.fixed_loss)}},
                                          AxisScale::kLinear,
                                          run.best_step});
  const std::string small =
      render_chart({"Learning rate", "Adam", {{"learning rate", run.learning_rate}}}) +
      render_chart(
          {"Gradient norm",
           "of the loss in the vectors",
           {{"gradient norm", run.gradient_norm}},
           all_positive(run.gradient_norm) ? AxisScale::kLogarithmic : AxisScale::kLinear}) +
      render_chart({"Vector norm", "mean over the vectors", {{"vector norm", run.vector_norm}}});
  return grid("grid", large) + grid("grid small", small);
}

/// "likeness 0.71, obedience 0.83, score 0.59", as far as it was measured at that step.
std::string scores_at(const RunRecord& run, int step) {
  std::string text;
  const auto add = [&](const char* name, const Series& series) {
    const auto found = series.find(step);
    if (found == series.end()) return;
    text += (text.empty() ? "" : ", ") + std::string(name) + " " + fixed_number(found->second, 2);
  };
  add("likeness", run.likeness);
  add("obedience", run.obedience);
  add("score", run.score);
  return text;
}

std::string image_element(const std::string& id, const std::string& type, const std::string& bytes,
                          const std::string& alternative) {
  return "<img " + (id.empty() ? "" : "id=\"" + id + "\" ") + "alt=\"" + escape_html(alternative) +
         "\" src=\"data:image/" + type + ";base64," + to_base64(bytes) + "\"/>\n";
}

/// A whole sheet.
std::string image(const fs::path& file, const std::string& alternative) {
  return image_element("", "png", read_file(file), alternative);
}

/// A picture cut out of a sheet. In a sheet it has lost nothing that matters here, and as WebP it
/// is a tenth as large.
std::string cut_image(const Image& sheet, const Rect& place, const std::string& id,
                      const std::string& alternative) {
  constexpr int kQuality = 90;
  const std::string bytes = encode_image(crop(sheet, place), {ImageFormat::kWebp, kQuality}, {});
  return image_element(id, "webp", bytes, alternative);
}

bool lies_within(const Rect& place, const Image& sheet) {
  return place.x_px >= 0 && place.y_px >= 0 && place.width_px > 0 && place.height_px > 0 &&
         place.x_px + place.width_px <= sheet.width_px &&
         place.y_px + place.height_px <= sheet.height_px;
}

/// The likeness of each portrait at the newest milestone up to a step; null: of none.
const std::vector<double>* find_likeness_by_portrait(const RunRecord& run, int step) {
  const auto after = run.likeness_by_portrait.upper_bound(step);
  return after == run.likeness_by_portrait.begin() ? nullptr : &std::prev(after)->second;
}

/// The pictures of a report, cut out of their sheets; whole sheets where it is not known what lies
/// where, as in the folders of earlier versions.
class Pictures {
 public:
  explicit Pictures(const RunRecord& run) : run_(run) {
    read_portraits();
    for (const auto& [step, file] : run.previews) read_previews(step, file);
  }

  /// What the page's script compares: the images have the ids "portrait-0" and "preview-50-0".
  Json describe() const {
    Json portraits = Json::array();
    if (is_cut_) {
      for (const SheetPortrait& one : run_.crops) portraits.push_back({{"file", one.file}});
    }
    Json milestones = Json::array();
    for (const auto& [step, file] : run_.previews) {
      if (!cut_steps_.contains(step)) continue;
      Json milestone = {
          {"step", step}, {"kept", step == run_.best_step}, {"prompts", run_.preview_prompts}};
      const auto likeness = run_.likeness.find(step);
      if (likeness != run_.likeness.end()) milestone["likeness"] = likeness->second;
      const auto by_portrait = run_.likeness_by_portrait.find(step);
      if (by_portrait != run_.likeness_by_portrait.end()) {
        Json& values = milestone["likeness_by_portrait"] = Json::array();
        for (const double value : by_portrait->second) {
          values.push_back(std::isnan(value) ? Json() : Json(value));
        }
      }
      milestones.push_back(std::move(milestone));
    }
    return {{"name", choose_name(run_)}, {"portraits", portraits}, {"milestones", milestones}};
  }

  const std::string& previews() const { return previews_; }
  const std::string& portraits() const { return portraits_; }

 private:
  void read_portraits() {
    if (run_.portraits.empty()) return;
    const Image sheet = decode_image(run_.portraits).image;
    is_cut_ = !run_.crops.empty() &&
              std::all_of(run_.crops.begin(), run_.crops.end(),
                          [&](const SheetPortrait& one) { return lies_within(one.place, sheet); });
    if (!is_cut_) {
      portraits_ = "<figure class=\"crops\">\n<figcaption>As the model saw them</figcaption>\n" +
                   image(run_.portraits, "The portraits, cropped") + "</figure>\n";
      return;
    }
    const std::vector<double>* const likeness =
        find_likeness_by_portrait(run_, run_.best_step.value_or(std::numeric_limits<int>::max()));
    std::string figures;
    for (std::size_t i = 0; i < run_.crops.size(); ++i) {
      const SheetPortrait& one = run_.crops[i];
      figures += "<figure>\n" +
                 cut_image(sheet, one.place, "portrait-" + std::to_string(i), one.file) +
                 "<figcaption>" + escape_html(one.file) + "<small>" +
                 describe_likeness(likeness, i) + "</small></figcaption>\n</figure>\n";
    }
    portraits_ =
        "<p class=\"remark\">The model saw these crops. The likeness is that of the kept "
        "embedding's previews to each of them.</p>\n" +
        grid("grid portraits", figures);
  }

  static std::string describe_likeness(const std::vector<double>* likeness, std::size_t index) {
    if (likeness == nullptr || index >= likeness->size()) return "";
    const double value = (*likeness)[index];
    return std::isnan(value) ? "no face is seen in it" : "likeness " + fixed_number(value, 2);
  }

  void read_previews(int step, const fs::path& file) {
    const bool kept = step == run_.best_step;
    const std::string scores = scores_at(run_, step);
    previews_ += "<figure" + std::string(kept ? " class=\"kept\"" : "") + ">\n<figcaption>Step " +
                 std::to_string(step) + (kept ? "<span class=\"badge\">kept</span>" : "") +
                 (scores.empty() ? "" : "<small>" + scores + "</small>") + "</figcaption>\n" +
                 cut_previews(step, file) + "</figure>\n";
  }

  std::string cut_previews(int step, const fs::path& file) {
    const Image sheet = decode_image(file).image;
    const std::vector<std::string>& prompts = run_.preview_prompts;
    const auto count = static_cast<int>(prompts.size());
    if (prompts.empty() || !lies_within(place_in_first_row(count - 1), sheet)) {
      return image(file, "Pictures of " + choose_name(run_) + " by the embedding of step " +
                             std::to_string(step));
    }
    cut_steps_.insert(step);
    std::string images;
    for (int i = 0; i < count; ++i) {
      const std::string& prompt = prompts[static_cast<std::size_t>(i)];
      images += cut_image(sheet, place_in_first_row(i),
                          "preview-" + std::to_string(step) + "-" + std::to_string(i), prompt);
    }
    return "<div class=\"row\">\n" + images + "</div>\n";
  }

  const RunRecord& run_;
  bool is_cut_ = false;      ///< the portraits are
  std::set<int> cut_steps_;  ///< whose previews are
  std::string portraits_;
  std::string previews_;
};

std::string settings(const RunRecord& run) {
  std::string rows;
  for (const auto& [key, value] : run.config.items()) {
    const std::string shown = to_text(value);
    rows += "<div><dt>" + escape_html(key) + "</dt><dd>" +
            (shown.empty() ? "–" : escape_html(shown)) + "</dd></div>\n";
  }
  return rows.empty() ? "" : "<dl class=\"settings\">\n" + rows + "</dl>\n";
}

std::string page(const RunRecord& run) {
  std::string footer = "Made from the files in the run's folder. metrics.jsonl has every number.";
  if (run.unread_lines > 0) {
    footer += " Lines of it that could not be read: " + std::to_string(run.unread_lines) + ".";
  }
  const Pictures pictures(run);
  return make_page(data_folder() / "report",
                   {{"name", escape_html(choose_name(run))},
                    {"lead", escape_html(write_lead(run))},
                    {"facts", list_facts(run)},
                    {"sections", section("Progress", curves(run)) +
                                     section("Milestones", grid("grid", pictures.previews())) +
                                     section("Portraits", pictures.portraits()) +
                                     section("Settings", settings(run))},
                    {"footer", footer},
                    {"data", to_script_json(pictures.describe())}});
}

}  // namespace

fs::path write_report(const fs::path& run_folder) {
  const fs::path file = run_folder / "report.html";
  write_file_atomically(file, page(read_run(run_folder)));
  return file;
}

}  // namespace sdx
