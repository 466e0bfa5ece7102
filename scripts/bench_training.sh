#!/usr/bin/env bash
# Compares sdx-train with the recipe of diffusers on the built-in model, and prints the tables of
# docs/training.md. Hours on two cores; stopped at any time, it goes on where it was.
#   scripts/bench_training.sh FOLDER [PEOPLE [SEEDS]]    default: 10 people, 3 seeds
# Needs the built programs, and a Python with scripts/mini/requirements.txt in SDX_PYTHON.
set -euo pipefail
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="${1:?expected a folder for the results}"
people="${2:-10}"
seeds="${3:-3}"
bench=("${SDX_PYTHON:-python3}" "$source_dir/scripts/training/bench.py")

"${bench[@]}" run --work "$folder" --people "$people" --seeds "$seeds" --reference-seeds "$seeds"
"${bench[@]}" switches --work "$folder" --people 4
"${bench[@]}" table --work "$folder"
