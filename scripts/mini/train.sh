#!/usr/bin/env bash
# Trains the built-in model: starts all stages, or goes on where they were stopped, until the last one is done.
#
#   scripts/mini/train.sh [--device cpu|cuda] [--foreground] [--finish STEPS]
#
# --finish makes a whole model of what there is: on a copy of the state, `$SDX_MINI_STATE-finish`, it lets the UNet's
# rate fall to nothing over so many steps, trains the judges and exports `model/`. The training itself stays where it
# is, and a later start goes on from there.
#
# Runs in the background at idle priority, so that whatever else the machine does comes first. A second start says
# who is at work and ends. Stop it with `kill -- -PID` (the id that it prints); SIGSTOP and SIGCONT to the same
# group pause it and let it go on, for a benchmark. Nothing is lost but the minutes since the newest checkpoint.
#
# State: $SDX_MINI_STATE (default ~/.cache/sdx-mini): checkpoints, curves/, logs/, train.log. To do a stage again,
# remove its `done-*` file there; training stages then go on from their checkpoint, if their steps were raised.
# Python: $PYTHON, else the state's venv, else python3 (needs requirements.txt). Weights of the repository stay as
# they are: `export.py` writes them.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export SDX_MINI_STATE="${SDX_MINI_STATE:-$HOME/.cache/sdx-mini}"
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000  # before libgomp loads: much faster on a busy machine
device=cpu
foreground=
finish=
while (($#)); do
    case "$1" in
        --device) device="${2:?--device takes cpu or cuda}"; shift ;;
        --foreground) foreground=yes ;;
        --finish) finish="${2:?--finish takes a number of steps}"; shift ;;
        -h|--help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) echo "train.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    esac
    shift
done
[[ "$device" == cpu || "$device" == cuda ]] || { echo "train.sh: --device is cpu or cuda, not $device" >&2; exit 2; }
[[ "$finish" =~ ^[0-9]*$ ]] || { echo "train.sh: --finish: expected a number of steps, found $finish" >&2; exit 2; }
if [[ -z "${PYTHON:-}" ]]; then
    PYTHON="$SDX_MINI_STATE/venv/bin/python"
    [[ -x "$PYTHON" ]] || PYTHON=python3
fi
export PYTHON
if [[ -n "$finish" && -z "${SDX_MINI_TRAINER:-}" ]]; then
    whole="$SDX_MINI_STATE"
    [[ -f "$whole/diffusion.pt" ]] || { echo "train.sh: --finish: $whole has no diffusion.pt yet" >&2; exit 1; }
    export SDX_MINI_STATE="$whole-finish"
    mkdir -p "$SDX_MINI_STATE"
    if [[ ! -e "$SDX_MINI_STATE/diffusion.pt" ]]; then  # else a finish that was stopped goes on
        cp -al "$whole"/{latents,contrasts-*.npy,spiece.model,text.pt,vae.pt} "$SDX_MINI_STATE/"
        cp "$whole/diffusion.pt" "$SDX_MINI_STATE/"
    fi
fi
mkdir -p "$SDX_MINI_STATE/logs"

if [[ -z "${SDX_MINI_TRAINER:-}" ]]; then
    # The stages hold the lock with this script, so that a killed script's last stage still counts as running.
    exec 9>>"$SDX_MINI_STATE/train.lock"
    if ! flock -n 9; then
        echo "train.sh is at work already, process group $(cat "$SDX_MINI_STATE/train.pid" 2>/dev/null || echo unknown)" >&2
        exit 1
    fi
    export SDX_MINI_TRAINER=yes
    again=("${BASH_SOURCE[0]}" --device "$device")
    [[ -z "$finish" ]] || again+=(--finish "$finish")
    if [[ -n "$foreground" ]]; then
        exec setsid --wait "${again[@]}"
    fi
    setsid "${again[@]}" >>"$SDX_MINI_STATE/train.log" 2>&1 </dev/null &
    echo $! >"$SDX_MINI_STATE/train.pid"
    echo "training as process group $!; log: $SDX_MINI_STATE/train.log; see scripts/mini/status.sh"
    exit 0
fi

stage() {  # NAME SCRIPT...
    local name="$1" mark="$SDX_MINI_STATE/done-$1"
    shift
    [[ ! -e "$mark" ]] || return 0
    echo "$name" >"$SDX_MINI_STATE/stage"
    echo "$(date -u '+%F %T')  $name: $*"
    "$PYTHON" -u "$@" >>"$SDX_MINI_STATE/logs/${name%%-[0-9]*}.log" 2>&1
    touch "$mark"
}

# The schedule's whole length and the share in which it falls, so that the fall begins at the checkpoint's step.
finish_model() {
    local plan="$SDX_MINI_STATE/plan"
    if [[ ! -e "$plan" ]]; then
        "$PYTHON" - "$SDX_MINI_STATE/diffusion.pt" "$finish" >"$plan.partial" <<'EOF'
import sys, torch
step, more = torch.load(sys.argv[1], map_location="cpu")["step"], int(sys.argv[2])
print(step + more, more / (step + more))
EOF
        mv "$plan.partial" "$plan"
    fi
    local steps share
    read -r steps share <"$plan"
    stage diffusion train_diffusion.py --device "$device" "${diffusion[@]}" --steps "$steps" --decay-last "$share"
    stage judges train_identity.py --device "$device" "${judges[@]}"
    stage export export.py --out "$SDX_MINI_STATE/model"
    stage tuned train_identity.py --device "$device" "${tuned[@]}"
    echo "$(date -u '+%F %T')  finished; the model is in $SDX_MINI_STATE/model"
}

run_all() {
    echo $$ >"$SDX_MINI_STATE/train.pid"
    # Within its own group a process may be as idle as it likes: between groups only the groups' weights count.
    echo 19 2>/dev/null >/proc/self/autogroup || true
    renice -n 19 -p $$ >/dev/null || true
    chrt --idle -p 0 $$ || true
    # Of a copy, so that the checkout may change, or go, while this runs.
    local copy="$SDX_MINI_STATE/run"
    rm -rf "$copy"
    mkdir -p "$copy/scripts/mini" "$copy/configs"
    cp "$here"/*.py "$copy/scripts/mini/"
    cp -r "$here/../../configs/prompts" "$copy/configs/"
    cd "$copy/scripts/mini"

    # Budgets in steps. On the CPU they are sized for a day or two of idle time; on a data-centre GPU for ten minutes, by estimate.
    if [[ "$device" == cuda ]]; then
        workers="$(nproc)"
        vae=(--steps 4000 --batch 96 --lr 3e-3 --pictures 24000 --workers "$workers")
        latents=(--batch 500 --workers "$workers")
        text=(--steps 1500 --batch 256 --lr 2e-3)
        diffusion=(--batch 512 --lr 1.5e-3 --workers "$workers")
        decoder=(--steps 1000 --batch 96 --pictures 24000 --workers "$workers")
        judges=(--steps 2000 --workers "$workers")
        unet_steps=5000 turns=1
    else
        vae=(--steps 12000)  # 28.4 dB on drawings that it has not seen after 3000; the UNet needs the time more
        latents=()
        text=(--steps 6000)
        diffusion=()  # a compiled step has had wrong gradients on the CPU: see --compile
        decoder=(--steps 20000 --lr 1e-3)
        judges=(--steps 6000 --people 5000)
        unet_steps=64000 turns=4
    fi

    echo "$(date -u '+%F %T')  started, process group $$, $device"
    # Rare outfits and styles, for the attributes alone; an evaluation counts by them.
    tuned=(--tune "$SDX_MINI_STATE/model" --people 3000 --steps 1200 --lr 1.5e-3 --decay-last .5)
    if [[ -n "$finish" ]]; then
        finish_model
        return
    fi
    stage vae train_vae.py --device "$device" "${vae[@]}"
    stage latents latents.py --device "$device" "${latents[@]}"
    stage contrasts contrasts.py --device "$device" "${latents[@]}"
    stage text train_text.py --device "$device" "${text[@]}"
    for ((turn = 1; turn <= turns; ++turn)); do  # so that after every turn there is a whole model to look at
        stage "diffusion-$turn" train_diffusion.py --device "$device" "${diffusion[@]}" --steps "$unet_steps" \
            --until $((unet_steps * turn / turns))
        stage "decoder-$turn" train_vae.py --decoder-only --device "$device" "${decoder[@]}" \
            --until $((decoder[1] * turn / turns))
    done
    stage judges train_identity.py --device "$device" "${judges[@]}"
    stage export export.py --out "$SDX_MINI_STATE/model"
    stage tuned train_identity.py --device "$device" "${tuned[@]}"
    stage faces train_faces.py --weights "$SDX_MINI_STATE/model" --device "$device"
    rm -f "$SDX_MINI_STATE/stage"
    echo "$(date -u '+%F %T')  all stages are done; the model is in $SDX_MINI_STATE/model"
}

run_all  # read to its end before it starts, as a shell reads on in its file
