#!/usr/bin/env bash
# Makes the team of docs/roster.md with the built-in model, and the pictures there: docs/roster/*.png. Also
# docs/report.png, the report of a training.
#   scripts/docs/roster_pictures.sh [WORK]     default: a folder that is removed afterwards
# Needs the built programs (scripts/demo.sh), Chromium, and in SDX_PYTHON a Python with Playwright.
set -euo pipefail
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
if [[ $# -gt 0 ]]; then
  mkdir -p "$1"
  work="$(cd "$1" && pwd)"
else
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
fi
bin="$source_dir/build/release/bin"
cd "$work"
# Two people have their portraits shown.
sed -e "s|portraits/|$source_dir/configs/demo/portraits/|" -e '1s/$/,show_portrait/' -e '/^Ada\|^Chloe/s/$/,yes/' \
  "$source_dir/configs/demo/team.csv" >team.csv
time "$bin/sdx-roster" run team.csv --prompts statcrew --title "The example team" --out team
"$bin/sdx-train" "$source_dir/configs/demo/portraits/ada" --name Ada --force
cd "$source_dir"
"${SDX_PYTHON:-python3}" scripts/docs/gallery_screenshots.py "$work/team/index.html" docs/roster \
  "$work/runs/Ada/report.html" docs/report.png
