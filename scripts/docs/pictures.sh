#!/usr/bin/env bash
# Makes all pictures of README and docs that the built-in model draws. Run it when its weights have changed.
#   scripts/docs/pictures.sh [WORK]     default: a folder that is removed afterwards
# What is trained and drawn in WORK is not made again. Needs the built programs (scripts/demo.sh), the Python of
# scripts/mini in PYTHON, and what roster_pictures.sh needs. Takes a quarter of an hour on two cores.
# The tables of docs/mini.md come from scripts/mini/evaluate.py.
set -euo pipefail
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
bin="$source_dir/build/release/bin"
docs="$source_dir/docs"
if [[ $# -gt 0 ]]; then
  mkdir -p "$1"
  work="$(cd "$1" && pwd)"
else
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
fi
PYTHON="${PYTHON:-$HOME/.cache/sdx-mini/venv/bin/python}"

# The sheets of scripts/demo.sh, of two people.
mkdir -p "$work/people"
(
  cd "$work/people"
  for person in ada ben; do
    name="${person^}"
    [[ -f "embeddings/$name.safetensors" ]] ||
      "$bin/sdx-train" "$source_dir/configs/demo/portraits/$person" --name "$name" --quiet
    rm -rf "$name"
    "$bin/sdx-generate" --prompts "$source_dir/configs/prompts/statcrew.txt" --names "$name" --seed 1 --out "$name" --grid \
      --quiet >/dev/null
    cp "$name"/*-grid.png "$docs/$person.png"
  done
)

# Two prompts with two samplers, ten seeds of each: a row for each prompt and sampler.
(
  cd "$work"
  printf '%s\n' "a man" "a man in the forest, laughing" >two.txt
  for sampler in euler lcm; do
    rm -rf "$sampler"
    "$bin/sdx-generate" --prompts two.txt -n 10 --seed 500 --sampler "$sampler" \
      --out "$sampler" --quiet >/dev/null
  done
  "$PYTHON" - "$docs/mini/samplers.png" euler/*.png lcm/*.png <<'END'
import sys
from PIL import Image

pictures = [Image.open(path).convert("RGB") for path in sys.argv[2:]]
side, columns = pictures[0].width, 10
sheet = Image.new("RGB", (side * columns, side * (len(pictures) // columns)))
for k, picture in enumerate(pictures):
    sheet.paste(picture, (k % columns * side, k // columns * side))
sheet.quantize(256).save(sys.argv[1], optimize=True)
END
)

"$PYTHON" "$source_dir/scripts/mini/sheets.py" --keep "$work/mini"
mkdir -p "$work/generate"
cp -r "$work/people/embeddings" "$work/generate/"
"$source_dir/scripts/docs/generate_pictures.sh" "$work/generate"
"$source_dir/scripts/docs/roster_pictures.sh" "$work/roster"
