#!/usr/bin/env bash
# Says which stage the training is at and how its figures rose in the last hour, and draws sheet.png, a fixed sheet
# of people and prompts from the newest checkpoint (before there is one: vae.png, drawings and what the autoencoder
# gives back).
#
#   scripts/mini/status.sh [--no-sheet]
#
# State and Python as in train.sh.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export SDX_MINI_STATE="${SDX_MINI_STATE:-$HOME/.cache/sdx-mini}"
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000
sheet=yes
case "${1:-}" in
    "") ;;
    --no-sheet) sheet= ;;
    -h|--help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "status.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
esac
if [[ -z "${PYTHON:-}" ]]; then
    PYTHON="$SDX_MINI_STATE/venv/bin/python"
    [[ -x "$PYTHON" ]] || PYTHON=python3
fi
[[ -d "$SDX_MINI_STATE" ]] || { echo "no training state in $SDX_MINI_STATE: run train.sh" >&2; exit 1; }

now="$(cat "$SDX_MINI_STATE/stage" 2>/dev/null || echo none)"
touch "$SDX_MINI_STATE/train.lock"
if flock -n "$SDX_MINI_STATE/train.lock" true; then
    echo "not running; stage: $now (train.sh goes on)"
else
    group="$(cat "$SDX_MINI_STATE/train.pid")"
    states="$(ps -o stat= -g "$group" 2>/dev/null || true)"
    if [[ "$states" == *T* ]]; then
        echo "paused (kill -CONT -- -$group goes on); stage: $now"
    else
        echo "running, process group $group; stage: $now"
    fi
fi
for mark in "$SDX_MINI_STATE"/done-*; do
    [[ -e "$mark" ]] && echo "done: ${mark##*/done-}  $(date -u -r "$mark" '+%F %T')"
done
log="$SDX_MINI_STATE/logs/${now%%-[0-9]*}.log"
[[ -s "$log" ]] && echo "last line: $(tail -n 1 "$log")"

# Each curve's newest row beside the last one that is at least an hour old (or the first).
for curve in "$SDX_MINI_STATE"/curves/*.csv; do
    [[ -e "$curve" ]] || continue
    awk -F, -v name="$(basename "$curve" .csv)" -v now="$(date +%s)" '
        NR == 1 { for (k = 1; k <= NF; ++k) title[k] = $k; columns = NF; next }
        NR == 2 || $1 <= now - 3600 { for (k = 1; k <= NF; ++k) before[k] = $k }
        { for (k = 1; k <= NF; ++k) last[k] = $k }
        END {
            if (NR < 2) exit
            printf "%s: step %d, %d minutes ago;", name, last[2], (now - last[1]) / 60
            if (now - last[1] > 3600) for (k = 1; k <= columns; ++k) before[k] = last[k]
            printf " in the last hour %d steps;", last[2] - before[2]
            for (k = 3; k <= columns; ++k) printf " %s %s (%+.4g)", title[k], last[k], last[k] - before[k]
            print ""
        }' "$curve"
done

[[ -n "$sheet" ]] || exit 0
if [[ -s "$SDX_MINI_STATE/diffusion.pt" ]]; then
    (cd "$here" && nice -n 19 "$PYTHON" sheet.py)
    echo "pictures: $SDX_MINI_STATE/sheet.png"
elif [[ -s "$SDX_MINI_STATE/vae.png" ]]; then
    echo "pictures: $SDX_MINI_STATE/vae.png"
fi
