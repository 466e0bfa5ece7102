#include "sdx/training/report.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "sdx/util/base64.h"
#include "sdx/util/file.h"
#include "sdx/util/html.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "training/chart.h"
#include "training/report_style.h"
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

std::string header(const RunRecord& run) {
  const std::string model = summary_text(run, "model");
  const std::string embedding = summary_text(run, "embedding");
  const std::string reason = summary_text(run, "stopped_because");
  std::string lead;
  if (run.summary.empty()) {
    lead = "This run has not come to its end yet.";
  } else {
    lead = "A word learnt";
    if (!model.empty()) lead += " by the model " + model;
    if (!embedding.empty()) lead += ", written to " + embedding;
    lead += ".";
    if (!reason.empty()) lead += " Training stopped: " + reason + ".";
  }
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
  return "<header>\n<h1>" + escape_html(choose_name(run)) + "</h1>\n<p class=\"lead\">" +
         escape_html(lead) + "</p>\n" +
         (facts.empty() ? "" : "<dl class=\"facts\">\n" + facts + "</dl>\n") + "</header>\n";
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

std::string image(const fs::path& file, const std::string& alternative) {
  return "<img alt=\"" + escape_html(alternative) + "\" src=\"data:image/png;base64," +
         to_base64(read_file(file)) + "\"/>\n";
}

std::string previews(const RunRecord& run) {
  std::string figures;
  for (const auto& [step, file] : run.previews) {
    const bool kept = step == run.best_step;
    const std::string title = "Step " + std::to_string(step);
    const std::string scores = scores_at(run, step);
    figures += "<figure" + std::string(kept ? " class=\"kept\"" : "") + ">\n<figcaption>" + title +
               (kept ? "<span class=\"badge\">kept</span>" : "") +
               (scores.empty() ? "" : "<small>" + scores + "</small>") + "</figcaption>\n" +
               image(file, "Pictures of " + choose_name(run) + " by the word of step " +
                               std::to_string(step)) +
               "</figure>\n";
  }
  return grid("grid", figures);
}

std::string crops(const RunRecord& run) {
  if (run.portraits.empty()) return "";
  return "<figure class=\"crops\">\n<figcaption>As the model saw them</figcaption>\n" +
         image(run.portraits, "The portraits, cropped") + "</figure>\n";
}

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
  std::string footer = "Made from the files in the run's folder; metrics.jsonl has every number.";
  if (run.unread_lines > 0) {
    footer += " Lines of it that could not be read: " + std::to_string(run.unread_lines) + ".";
  }
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "img-src data:; style-src 'unsafe-inline'\"/>\n<title>" +
         escape_html(choose_name(run)) + ": report of a training run</title>\n<style>" +
         kReportStyle + "</style>\n</head>\n<body>\n" + header(run) + "<main>\n" +
         section("Progress", curves(run)) + section("Milestones", previews(run)) +
         section("Portraits", crops(run)) + section("Settings", settings(run)) +
         "</main>\n<footer>" + footer + "</footer>\n</body>\n</html>\n";
}

}  // namespace

fs::path write_report(const fs::path& run_folder) {
  const fs::path file = run_folder / "report.html";
  write_file_atomically(file, page(read_run(run_folder)));
  return file;
}

}  // namespace sdx
