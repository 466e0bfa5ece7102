#!/usr/bin/env bash
# Measures sdx on this machine: the built-in model and a full-size Stable Diffusion 1.5 of random
# weights (no download), and compares with diffusers where a Python with it is there.
#   --sd15 FOLDER   diffusers folder of the full-size model (default: FOLDER/sd15; made if absent)
#   --out FOLDER    where models and JSON files go (default: build/bench)
#   --device NAME   cpu or a GPU as cuda or cuda:N (default: cpu, as the comparison computes there)
#   --quick         without the slow parts of the full-size model, and without the comparison
#   SDX_PYTHON      a Python with torch, diffusers, transformers (scripts/bench/requirements.txt), for
#                   the comparison only
# More arguments go to scripts/bench_peers.py: --openvino, --compile, --only unet,step …
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out="$SDX_SOURCE/build/bench"
sd15=""
device=cpu
quick=0
peers=()
while (($#)); do
  case "$1" in
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --sd15 | --out)
      [[ -n "${2:-}" ]] || die "$1 needs a folder (--help)."
      if [[ "$1" == --out ]]; then out="$2"; else sd15="$2"; fi
      shift
      ;;
    --device)
      [[ "${2:-}" =~ ^(cpu|cuda(:[0-9]+)?)$ ]] || die "--device needs cpu, cuda or cuda:N, found '${2:-}'."
      device="$2"
      shift
      ;;
    --quick) quick=1 ;;
    *) peers+=("$1") ;;
  esac
  shift
done
sd15="${sd15:-$out/sd15}"
bin="$SDX_SOURCE/build/release/bin"
python="${SDX_PYTHON:-python3}"
export OMP_WAIT_POLICY=passive

if [[ ! -x "$bin/sdx-bench" || ! -x "$bin/sdx-model" ]]; then
  run_setup
  build_release -DSDX_BUILD_TESTS=OFF
fi
mkdir -p "$out"
"$bin/sdx-bench" --model mini --device "$device" --json "$out/mini.json"

has_diffusers=0
if "$python" -c 'import diffusers, transformers' 2>/dev/null; then has_diffusers=1; fi
if [[ ! -e "$sd15/model_index.json" ]]; then
  have "$python" || die "to make a full-size model, '$python' is needed; set SDX_PYTHON to a Python 3.9 or newer, or give --sd15 FOLDER."
  say "writing a Stable Diffusion 1.5 of random weights to $sd15"
  "$python" "$SDX_SOURCE/scripts/bench/make_sd15.py" "$sd15"
fi
# Beside the folder it was made from, so that whoever shares the one shares the other.
models="$(dirname "$sd15")/models"
[[ -e "$models/sd15/bundle.json" ]] ||
  "$bin/sdx-model" import "$sd15" --name sd15 --models-dir "$models"

phases="ceiling,start,load,text,unet,vae,write,step,evaluation"
((quick)) && phases="ceiling,start,load,text,unet"
# What half precision is on each of them.
dtypes=(fp32 bf16)
[[ "$device" == cpu ]] || dtypes=(fp32 fp16)
for dtype in "${dtypes[@]}"; do
  "$bin/sdx-bench" --model "$models/sd15" --device "$device" --dtype "$dtype" --phases "$phases" --repeats 2 \
    --json "$out/sd15-$dtype.json"
done

if ((quick)); then exit 0; fi
if [[ "$device" != cpu ]]; then
  say "no comparison with diffusers: it is made on the processor; all numbers are in $out"
  exit 0
fi
if ((has_diffusers)); then
  "$python" "$SDX_SOURCE/scripts/bench_peers.py" --sd15 "$sd15" --model "$models/sd15" \
    --json "$out/peers.json" "${peers[@]}"
else
  say "no comparison with diffusers: '$python' lacks it; set SDX_PYTHON."
fi
say "all numbers are in $out"
