#!/usr/bin/env bash
# Tries `sdx-roster slurm` for real: twelve people on a Slurm cluster of two nodes, one of which loses
# its power on the way; then one person whose training is longer than the time limit. Says what
# happens, checks that everybody is done and nobody was trained twice, and exits 0 if so.
#   try_two_nodes.sh FOLDER      FOLDER must not be there yet; cluster and teams lie in it
#   SDX_BIN=FOLDER               where sdx-roster is; default: build/release/bin
#   SDX_PARTS="node limit"       which of the two parts; the second takes four minutes
# Not a test of CTest: it needs root and starts daemons, see two_node.sh. Five minutes on two cores.
set -euo pipefail

source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
bin="$(cd "${SDX_BIN:-$source_dir/build/release/bin}" && pwd)"
people=(Ada Ben Chloe David Emma Finn Greta Hugo Ida Jonas Kira Leo)
steps=60
longest_s=900
faults=0

if [[ $# != 1 || "$1" == -* ]]; then
  sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
  exit 64
fi
[[ ! -e "$1" ]] || { printf '%s\n' "$1 is there already" >&2; exit 73; }
mkdir -p "$1"
cd "$1"
export SLURM_CONF="$PWD/cluster/slurm.conf"
SECONDS=0

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

check() {  # check WHAT FOUND EXPECTED
  if [[ "$2" == "$3" ]]; then
    say "ok: $1: $2"
  else
    say "WRONG: $1: expected $3, found $2"
    faults=$((faults + 1))
  fi
}

wait_until() {  # wait_until COMMAND…
  until "$@"; do
    ((SECONDS < longest_s)) || { say "WRONG: waited too long for: $*"; squeue; exit 1; }
    sleep 1
  done
}

# Of the five people of the demo, each time without another picture: twelve different folders.
make_team() {
  local i name from file
  echo "name,portraits" >team.csv
  for i in "${!people[@]}"; do
    name="${people[i]}"
    from=("$source_dir"/configs/demo/portraits/*/)
    mkdir -p "portraits/$name"
    for file in "${from[i % 5]}"*.png; do
      [[ "$file" == *"/0$((i / 5 + 1)).png" ]] || cp "$file" "portraits/$name"
    done
    echo "$name,portraits/$name" >>team.csv
  done
  printf '%s\n' "<{name}> as an astronaut" "<{name}> riding a unicorn" "<Ada> and <Ben> at sea" >prompts.txt
  echo "{\"steps\": $steps, \"milestone-steps\": 0, \"batch\": 2}" >training.json
}

done_count() { find team/embeddings -name '*.safetensors' 2>/dev/null | wc -l; }
steps_of() { grep -cs '"loss"' "$1/people/$2/training/metrics.jsonl" || true; }
status_of() { "$bin/sdx-roster" status "$1" 2>&1 >/dev/null | tail -1; }
on_node() { squeue -h -t running -w "$1" -o %K; }

# Somebody on n2 is in the middle of the training, and three are done.
is_time_to_kill() {
  local task done_steps
  (($(done_count) >= 3)) || return 1
  task="$(on_node n2)"
  [[ "$task" =~ ^[0-9]+$ ]] && ((task < ${#people[@]})) || return 1
  victim="${people[task]}"
  done_steps="$(steps_of team "$victim")"
  [[ ! -e "team/embeddings/$victim.safetensors" ]] && ((${done_steps:-0} >= 20))
}

is_over() { [[ -z "$(squeue -h)" ]]; }
is_waiting_again() { [[ "$(squeue -h -t pending -o '%K %r' | grep -c BeginTime)" -gt 0 ]]; }

lose_a_node() {
  local lost submitted
  make_team
  "$bin/sdx-roster" slurm team.csv --prompts prompts.txt --training training.json --steps 8 --out team \
    --device cpu --cpus 1 --memory 0 >job.sh 2>/dev/null
  submitted="$(bash job.sh)"
  say "${submitted%%$'\n'*}"
  victim=''
  wait_until is_time_to_kill
  lost="$(steps_of team "$victim")"
  "$source_dir/scripts/slurm/two_node.sh" kill cluster n2
  say "$(done_count) people done; n2 killed with -9 in step $lost of <$victim>'s training"
  wait_until is_waiting_again
  say "Slurm has noticed: n2 is $(sinfo -h -n n2 -o %T), <$victim> waits in the queue again"
  wait_until is_over
  say "the queue is empty"
}

check_team() {
  local name twice=0 untrained=0 all
  grep -h "Going on\|FAILED\|error" team/slurm/*.log | while read -r line; do say "log: $line"; done
  for name in "${people[@]}"; do
    all="$(grep '"loss"' "team/people/$name/training/metrics.jsonl" | grep -o '"step":[0-9]*')"
    [[ "$(sort -u <<<"$all" | wc -l)" == "$steps" ]] || untrained=$((untrained + 1))
    [[ "$(sort <<<"$all" | uniq -d)" == "" ]] || twice=$((twice + 1))
    printf '        %-6s %s steps, begun %s, ended %s times\n' "$name" "$(wc -l <<<"$all")" \
      "$(cat team/slurm/*.log | grep -c "^<$name>: training")" \
      "$(cat team/slurm/*.log | grep -c "^([0-9/]*) <$name>: $steps steps")"
  done
  check "people without all $steps steps" "$untrained" 0
  check "people with a step that was done twice" "$twice" 0
  check "trainings that came to their end" \
    "$(cat team/slurm/*.log | grep -c "^([0-9/]*) <.*>: $steps steps")" "${#people[@]}"
  check "trainings that were begun a second time" \
    "$(($(cat team/slurm/*.log | grep -c '^<.*>: training') - ${#people[@]}))" 1
  check "people whom the last task found done" \
    "$(cat team/slurm/*_"${#people[@]}".log | grep -c '^(.*was trained before')" "${#people[@]}"
  check "sdx-roster status" "$(status_of team)" "${#people[@]} of ${#people[@]} people done"
  check "summary.json" "$(grep -o '^  "done": [a-z]*' team/summary.json | xargs)" 'done: true'
  check "pictures" "$(find team/pictures -name '*.png' | wc -l)" $((2 * ${#people[@]} + 1))
  check "people in the gallery" \
    "$(for name in "${people[@]}"; do grep -q "pictures/$name/" team/index.html && echo; done | wc -l)" \
    "${#people[@]}"
}

exceed_the_limit() {
  local all most took_s submitted
  # About 150 seconds, by what the last one of the twelve took.
  took_s="$(cat team/slurm/*.log 2>/dev/null | sed -n "s/^(1.*: $steps steps in \([0-9]*\) s.*/\1/p" | tail -1 || true)"
  most=$((150 * steps / (${took_s:-20} + 1)))
  [[ "$parts" != *node* ]] || "$source_dir/scripts/slurm/two_node.sh" revive cluster n2
  [[ -d portraits ]] || make_team
  printf '%s\n' "name,portraits" "Mia,portraits/Ada" >long.csv
  head -2 prompts.txt >long.txt
  echo "{\"steps\": $most, \"milestone-steps\": 0, \"batch\": 2}" >long.json
  "$bin/sdx-roster" slurm long.csv --prompts long.txt --training long.json --steps 8 --out long \
    --device cpu --cpus 1 --memory 0 --time 2 >long.sh 2>/dev/null
  submitted="$(bash long.sh)"
  say "${submitted%%$'\n'*}, with a limit of two minutes"
  longest_s=$((SECONDS + 900))
  wait_until is_over
  grep -h "training, \|Going on\|stopped\|^(.*$most steps" long/slurm/*.log | while read -r line; do
    say "log: $line"
  done
  all="$(grep '"loss"' long/people/Mia/training/metrics.jsonl | grep -o '"step":[0-9]*')"
  check "steps" "$(wc -l <<<"$all")" "$most"
  check "steps that were done twice" "$(sort <<<"$all" | uniq -d | wc -l)" 0
  check "sdx-roster status" "$(status_of long)" "1 of 1 people done"
}

trap '"$source_dir/scripts/slurm/two_node.sh" stop cluster' EXIT
SDX_NODE_CPUS=1 "$source_dir/scripts/slurm/two_node.sh" start cluster
say "two nodes, $(sinfo -h -o '%D %t'), $(sinfo --version)"
parts="${SDX_PARTS:-node limit}"
if [[ "$parts" == *node* ]]; then
  lose_a_node
  check_team
fi
[[ "$parts" != *limit* ]] || exceed_the_limit
if ((faults)); then
  say "$faults faults"
  exit 1
fi
say "all as it should be"
