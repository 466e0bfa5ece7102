#!/usr/bin/env bash
# Runs the tools and prints a hash of everything that they make, a line each, so that two builds can
# be compared: a redesign must not change a byte.
#   scripts/outputs.sh [--quick] [BIN] > before.txt     # BIN: folder with the programs, default build/release/bin
#   scripts/outputs.sh [--quick] > after.txt; diff before.txt after.txt
# --quick leaves out the whole team (about four minutes on two cores). The program's version is not hashed.
# Hashes hold for one machine and one number of threads.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

quick=""
if [[ "${1:-}" == --quick ]]; then
  quick=1
  shift
fi
case "${1:-}" in
  -h | --help)
    show_help "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
bin="$(cd "${1:-$SDX_SOURCE/build/release/bin}" && pwd)"
[[ -x "$bin/sdx-generate" ]] || die "there is no sdx-generate in '$bin'; build it first."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Paths stand in some files: the same ones each time.
cp -r "$SDX_SOURCE/configs/demo" "$work/demo"
cp "$SDX_SOURCE/configs/prompts/statcrew.txt" "$work/statcrew.txt"
cd "$work"
unset SDX_MODEL SDX_MODELS

quiet() { "$@" >/dev/null 2>"$work/stderr.txt" || { cat "$work/stderr.txt" >&2; die "failed: $*"; }; }

quiet "$bin/sdx-train" demo/portraits/ada --name Ada
quiet "$bin/sdx-train" demo/portraits/ben --name Ben --steps 12 --vectors 3 --norm vocab --min-snr 5 \
  --offset-noise 0.1 --accumulate 2 --batch 2 --lr "0.02:4, 0.01" --timesteps 100:900 --mirror --milestone-steps 6
draw() { quiet "$bin/sdx-generate" --out pictures --seed 3 --steps 6 "$@"; }
quiet "$bin/sdx-generate" --prompts statcrew.txt --names Ada --seed 1 --out sheet --grid
for sampler in $("$bin/sdx-generate" --list-samplers | awk 'NR > 1 { print $1 }'); do
  draw "<Ada> in the snow" --sampler "$sampler"
done
for schedule in karras exponential sgm_uniform simple; do
  draw "<Ada> as a wizard" --schedule "$schedule" --sampler dpmpp_2m
done
draw "a (robot:1.3) AND <Ada> :0.7, [beach:forest:0.5] BREAK [red|blue] hat" --negative "blurry AND (dark:1.2)"
draw "<Ada>, \\(snow\\)" --grammar plain --clip-skip 2 --cfg 4.5 --cfg-rescale 0.5 --cfg-end 0.5 --reuse-features 2
draw "<Ada> and <Ben>" --variation-seed 9 --variation-strength 0.3 --size 160x128 --tile
draw "{a|the} <Ada> {in the snow|at night}" --dynamic all
draw "<Ada>, night" --hires 1.5 --hires-steps 3 --hires-strength 0.6 -n 2
draw "<Ada> oil painting" --init-image demo/portraits/ada/"$(cd demo/portraits/ada && ls | head -n 1)" --strength 0.6
draw "<Ada>" --xy "cfg=2,4" "sampler=euler,ddim" --sidecar
draw "<Ada>, forest" --format jpeg --quality 80
draw "<Ada>, forest" --format webp
draw "<Ada>, forest" --sigmas 14,5,1,0.2 --sampler heun
draw "<Ada>, forest" --dtype bf16
printf '%s\n' 'a plain line' '--prompt "<Ada>, \"quoted\"" --steps 4 --cfg_scale 3 --negative_prompt "snow" --width 128 --height 160' \
  '--prompt "[a,b]" --sampler_name "DPM++ 2M Karras"' >lines.txt
draw --prompts lines.txt
for picture in pictures/0001-*.png pictures/0021-*.png pictures/0030-*.png; do
  quiet "$bin/sdx-generate" --from-image "$picture" --out again
done
if [[ -z "$quick" ]]; then
  quiet "$bin/sdx-roster" run demo/team.csv --prompts statcrew --out team
fi
python3 "$SDX_SOURCE/scripts/outputs.py" "$work"
