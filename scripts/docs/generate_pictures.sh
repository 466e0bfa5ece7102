#!/usr/bin/env bash
# Makes the pictures of docs/generate.md with the built-in model: docs/generate/*.png.
#   scripts/docs/generate_pictures.sh [WORK]     default: a folder that is removed afterwards
# Needs the built programs (scripts/demo.sh) and about three minutes on two cores.
set -euo pipefail
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
bin="$source_dir/build/release/bin"
if [[ $# -gt 0 ]]; then
  work="$1"
  mkdir -p "$work"
else
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
fi
pictures="$source_dir/docs/generate"
mkdir -p "$pictures"
cd "$work"

for person in ada ben; do
  [[ -f "embeddings/${person^}.safetensors" ]] ||
    "$bin/sdx-train" "$source_dir/configs/demo/portraits/$person" --name "${person^}" --quiet
done

# sheet NAME ARGUMENTS…: the contact sheet of a command.
sheet() {
  rm -rf "$1"
  "$bin/sdx-generate" "${@:2}" --grid --quiet --out "$1" >/dev/null
  cp "$1"/*-grid.png "$pictures/$1.png"
}

# picture NAME ARGUMENTS…: the picture of a command.
picture() {
  rm -rf "$1"
  "$bin/sdx-generate" "${@:2}" --quiet --out "$1" >/dev/null
  cp "$1"/*.png "$pictures/$1.png"
}

sheet weights "robot <Ada>" --seed 5 --xy "prompt=<Ada>|(<Ada>:0.3)|(<Ada>:1.5)|(<Ada>:2)"
sheet edits "[a man:<Ada>:0.1]" "[a man:<Ada>:0.4]" "[<Ada>|a robot]" "<Ada> AND snow :0.6" --seed 5
sheet loras "a man" --seed 46 --loras "$source_dir/docs/examples/loras" --xy \
  "lora=painting:0,painting:0.4,painting:0.8,painting:1.2"
sheet samplers "<Ada>, smiling" --seed 5 --steps 12 --xy \
  "sampler=euler,dpmpp_2m,unipc,dpmpp_sde" "schedule=karras,sgm_uniform"
sheet settings "<Ada>, smiling" --seed 5 --cfg 10 --xy "cfg-rescale=0,0.4,0.8" "clip-skip=1,2"
sheet few-steps "a woman with a red hat, smiling" --seed 100 --model mini --xy "sampler=euler,lcm" "steps=20,8,4"
printf 'name,prompt,negative_prompt\nwinter,"{prompt}, santa hat, snow",\npainting,"{prompt}, oil painting",\n' \
  >styles.csv
printf '%s\n' '<Ada>, smiling' '--prompt "<Ada>, smiling" --style winter' \
  '--prompt "<Ada>, smiling" --style painting' '<Ada>, smiling BREAK snow' >styles.txt
sheet styles --prompts styles.txt --seed 5
sheet variations "<Ada>, smiling" --seed 3 --variation-seed 8 --xy "variation-strength=0,0.2,0.4,0.6"
sheet combinations "<Ada>, {smiling|sad}, {a hat|snow}" --seed 5 --dynamic all

picture start "<Ada>, smiling" --seed 3
sheet strengths "<Ada> wearing a santa hat, snow" --seed 3 --init-image "$pictures/start.png" --xy \
  "strength=0.3,0.5,0.7,0.9"
picture masked "<Ada> wearing a santa hat" --seed 3 --init-image "$pictures/start.png" \
  --mask "$pictures/mask.png" --strength 1
# phone.jpg is a picture of Ada in Display P3, as phones store it; it stays as it is.
picture from-phone "<Ada> in the snow, smiling" --seed 3 --init-image "$pictures/phone.jpg" --strength 0.5
picture larger "<Ada>, smiling" --seed 3 --hires 1.5 --hires-strength 0.05
picture upscaled "<Ada>, smiling" --seed 3 --upscale cartoon-4x
# The preview after six steps, copied while the pictures are still being made.
rm -rf running
"$bin/sdx-generate" "<Ada> in the snow" --seed 21 -n 4 --sampler euler --steps 20 --preview-every 6 --grid --json --out running |
  while read -r line; do
    if [[ "$line" == *'"preview"'* && ! -e running.png ]]; then cp running/preview.png running.png; fi
  done
mv running.png "$pictures/running.png"
cp running/*-grid.png "$pictures/finished.png"
picture tile "a pattern of stars" --seed 4 --tile
# Only YuNet knows cartoons; its file is no part of the repository (docs/user-guide.md).
if [[ -n "${SDX_FACE_DETECTOR:-}" ]]; then
  sheet faces "[a woman and a man:<Ada> and <Ben>:0.95]" --sampler dpmpp_2m --face-prompt "{name}" --face-share 0.3 \
    --face-padding 10 --face-strength 0.6 --xy "seed=1,4,11,12" "refine-faces=false,true"
else
  echo "faces.png stays as it is: \$SDX_FACE_DETECTOR does not name YuNet's file" >&2
fi
