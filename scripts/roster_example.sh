#!/usr/bin/env bash
# What sdx-roster does at heart, in a shell loop of the other tools: train whom nobody has trained
# yet, draw everybody. No quoted fields, one after the other, and a failure ends it.
#   scripts/roster_example.sh ROSTER PROMPTS FOLDER       (the tools in PATH)
set -euo pipefail
roster="$1" prompts="$2" out="$3"
tail -n +2 "$roster" | tr -d '\r' | while IFS=, read -r name portraits _; do
  if [[ ! -e "$out/embeddings/$name.safetensors" ]]; then
    sdx-train "$(dirname "$roster")/$portraits" --name "$name" --embeddings "$out/embeddings" \
      --runs "$out/runs" ${SDX_TRAIN_OPTIONS:-} </dev/null
  fi
  sdx-generate --prompts "$prompts" --names "$name" --embeddings "$out/embeddings" \
    --out "$out/pictures/$name" --seed 1 --grid </dev/null
done
