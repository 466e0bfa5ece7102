#!/usr/bin/env bash
# From nothing to pictures: sets up, builds, learns Ada from her portraits and draws her in eight
# prompts. What is done already is not done again; remove demo-output/ to start over.
#   SDX_DEMO_NAME=Ben   another of the people in configs/demo/portraits
#   SDX_DEMO_OUT=FOLDER where the results go (default: demo-output in the checkout)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
  -h | --help)
    show_help "${BASH_SOURCE[0]}"
    exit 0
    ;;
  "") ;;
  *) die "unknown argument '$1'; scripts/demo.sh takes none (--help)." ;;
esac

name="${SDX_DEMO_NAME:-Ada}"
out="${SDX_DEMO_OUT:-$SDX_SOURCE/demo-output}"
portraits="$SDX_SOURCE/configs/demo/portraits/${name,,}"
prompts="$SDX_SOURCE/configs/prompts/statcrew.txt"
bin="$SDX_SOURCE/build/release/bin"
model="$SDX_SOURCE/build/release/share/sdx/models/mini"
embedding="$out/embeddings/$name.safetensors"
pictures="$out/$name"

[[ -d "$portraits" ]] ||
  die "there is no folder '$portraits'; SDX_DEMO_NAME must be one of: $(cd "$SDX_SOURCE/configs/demo/portraits" && echo *)"

# One hash over everything that a result depends on: the result is kept while it stays the same.
hash_of() { cat -- "$@" | sha256sum | cut -d ' ' -f 1; }
is_current() { [[ -f "$1" && "$(<"$1")" == "$2" ]]; }

run_setup
build_release -DSDX_BUILD_TESTS=OFF
[[ -f "$model/bundle.json" ]] ||
  die "the build made no bundle of the built-in model in '$model'; are its weights in configs/models/mini?"

mkdir -p "$out"
trained="$(hash_of "$model/bundle.json" "$portraits"/*)"
stage_begin "training $name"
if [[ -f "$embedding" ]] && is_current "$out/.trained-$name" "$trained"; then
  say "already trained: $embedding"
  stage_end "already done"
else
  "$bin/sdx-train" "$portraits" --name "$name" --embeddings "$out/embeddings" --runs "$out/runs" --force
  printf '%s\n' "$trained" >"$out/.trained-$name"
  stage_end ""
fi

drawn="$(hash_of "$model/bundle.json" "$embedding" "$prompts")"
stage_begin "drawing $name"
if compgen -G "$pictures/*-grid.png" >/dev/null && is_current "$out/.drawn-$name" "$drawn"; then
  say "already drawn: $pictures"
  stage_end "already done"
else
  rm -rf "$pictures"
  "$bin/sdx-generate" --prompts "$prompts" --names "$name" --embeddings "$out/embeddings" \
    --seed 1 --out "$pictures" --grid
  printf '%s\n' "$drawn" >"$out/.drawn-$name"
  stage_end ""
fi

sheets=("$pictures"/*-grid.png)
stage_summary
say "the contact sheet: ${sheets[0]}"
