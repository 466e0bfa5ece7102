#!/usr/bin/env bash
# Makes the team of docs/roster.md with the built-in model, and the pictures there: docs/roster/*.png.
#   scripts/docs/roster_pictures.sh [WORK]     default: a folder that is removed afterwards
# Needs the built programs (scripts/demo.sh), Chromium, and in SDX_PYTHON a Python with Playwright.
set -euo pipefail
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
if [[ $# -gt 0 ]]; then
  work="$1"
  mkdir -p "$work"
else
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
fi
cd "$source_dir"
time build/release/bin/sdx-roster run configs/demo/team.csv --prompts configs/prompts/statcrew.txt \
  --title "The example team" --out "$work/team"
"${SDX_PYTHON:-python3}" scripts/docs/gallery_screenshots.py "$work/team/index.html" docs/roster
