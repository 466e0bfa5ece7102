#!/usr/bin/env bash
# Makes the built-in model from nothing: all stages in order, each with a time budget, seeds fixed.
#
#   scripts/mini/make_mini.sh            all stages; those that are done are skipped
#   MINI_SCALE=4 scripts/mini/make_mini.sh   four times the time for every training
#
# State: $SDX_MINI_STATE (default ~/.cache/sdx-mini). To do a stage again, remove its `done-*` file there:
# training stages then go on from their checkpoint. Needs the packages of requirements.txt.
set -euo pipefail
cd "$(dirname "$0")"

export SDX_MINI_STATE="${SDX_MINI_STATE:-$HOME/.cache/sdx-mini}"
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000  # before libgomp loads: much faster on a busy machine
scale="${MINI_SCALE:-1}"
python="${PYTHON:-python3}"
mkdir -p "$SDX_MINI_STATE/logs"

stage() {  # NAME COMMAND...
    local name="$1"; shift
    local mark="$SDX_MINI_STATE/done-$name"
    if [[ -e "$mark" ]]; then
        echo "$name: done before"
        return
    fi
    echo "$name: $* (log: $SDX_MINI_STATE/logs/$name.log)"
    nice -n 19 "$python" "$@" >>"$SDX_MINI_STATE/logs/$name.log" 2>&1
    touch "$mark"
}

stage vae train_vae.py --seconds $((2400 * scale))
stage latents latents.py
stage text train_text.py --seconds $((300 * scale))
stage diffusion train_diffusion.py --seconds $((5400 * scale))
stage decoder train_vae.py --decoder-only --seconds $((1200 * scale)) --lr 1e-3
stage judges train_identity.py --seconds $((300 * scale))
"$python" people.py
"$python" export.py
"$python" evaluate.py --no-tools
