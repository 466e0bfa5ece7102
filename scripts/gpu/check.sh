#!/usr/bin/env bash
# Checks sdx on a machine with an NVIDIA GPU, with the kit that scripts/gpu/kit.sh packed elsewhere.
#   scripts/gpu/check.sh a   what is right: 4 to 5 minutes
#   scripts/gpu/check.sh b   how fast it is, with a full-size model of random weights: 4 minutes
# Options:
#   --kit FILE      the kit (default: build/gpu/kit.tar.xz)
#   --work FOLDER   where it is unpacked and used (default: build/gpu/check)
#   --out FOLDER    where results go: what each step said, and JSON (default: $OUT, else WORK/out)
# Needs a checkout of the kit's commit, and libtorch of the kit's version: that of $SDX_PYTHON
# (default: python3), or an unpacked one in $SDX_LIBTORCH. Nothing is compiled or installed. Without a
# GPU, steps that need one are not run, and the others compute on the processor. The exit code is 1
# if a step failed.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

part=""
kit="$SDX_SOURCE/build/gpu/kit.tar.xz"
work="$SDX_SOURCE/build/gpu/check"
out="${OUT:-}"
python="${SDX_PYTHON:-python3}"
while (($#)); do
  case "$1" in
    -h | --help)
      show_help "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --kit | --work | --out)
      [[ -n "${2:-}" ]] || die "$1 needs a path (--help)."
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    a | b) part="$1" ;;
    *) die "unknown argument '$1'; see scripts/gpu/check.sh --help." ;;
  esac
  shift
done
[[ -n "$part" ]] || die "say which part: a (what is right) or b (how fast it is)."

# ---------------------------------------------------------------- the kit and what it needs

unpack() {
  [[ -f "$kit" ]] ||
    die "there is no kit '$kit'; make it with scripts/gpu/kit.sh where a compiler is, or name it with --kit."
  mkdir -p "$work"
  work="$(cd "$work" && pwd)"
  bin="$work/bin"
  # Anew if the kit is another one.
  local mark="$work/.unpacked" sum
  sum="$(sha256sum <"$kit")"
  if [[ ! -f "$mark" || "$(<"$mark")" != "$sum" ]]; then
    rm -rf "${work:?}"/{bin,lib,libs,plain,share}
    tar -C "$work" -xJf "$kit" 2>/dev/null ||
      "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$kit" "$work" ||
      die "'$kit' could not be unpacked into '$work'; is it whole?"
    printf '%s\n' "$sum" >"$mark"
  fi
  local data
  for data in "$SDX_SOURCE"/configs/*/; do
    [[ "$(basename "$data")" == models ]] || ln -sfn "${data%/}" "$work/share/sdx/$(basename "$data")"
  done
  mkdir -p "$work/share/sdx/models"
  ln -sfn "$work/share" "$work/plain/share"
}

find_libtorch() {
  local wanted found folder
  torch="${SDX_LIBTORCH:-}"
  [[ -n "$torch" ]] ||
    torch="$("$python" -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null)" ||
    die "'$python' has no torch; name another Python in SDX_PYTHON, or a libtorch's folder in SDX_LIBTORCH."
  [[ -f "$torch/lib/libtorch_cpu.so" ]] || die "'$torch' is no libtorch: it has no lib/libtorch_cpu.so."
  wanted="$(<"$work/torch-version")"
  found="$(sed -n "s/^__version__ = '\([^']*\)'.*/\1/p" "$torch/version.py")"
  [[ "$found" == "$wanted" || "$found" == "$wanted"+* ]] ||
    die "the kit is for torch $wanted, but '$torch' is $found; make a kit with scripts/gpu/kit.sh --torch ${found%%+*}."
  # Before the paths that the programs were linked with.
  libraries="$work/libs:$torch/lib"
  for folder in "$torch"/../nvidia/*/lib; do
    libraries+=":$folder"
  done
  say "libtorch $found: $torch"
}

# The test knows programs and data by the paths of the checkout that it was built in.
link_test() {
  local source build
  source="$(<"$work/source-folder")"
  build="$(<"$work/build-folder")"
  if [[ ! -e "$source" ]]; then
    { mkdir -p "$(dirname "$source")" && ln -s "$SDX_SOURCE" "$source"; } 2>/dev/null || return 1
  fi
  [[ -e "$build/bin" ]] || { mkdir -p "$(dirname "$build")" && ln -sfn "$work" "$build"; } 2>/dev/null
}

has_gpu() { have nvidia-smi && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

# ---------------------------------------------------------------- steps

passed=0
failed=0
not_run=0

well() {
  passed=$((passed + 1))
  printf 'ok       %s\n' "$*"
}
bad() {
  failed=$((failed + 1))
  printf 'FAIL     %s\n' "$*"
}
without_gpu() {
  not_run=$((not_run + 1))
  printf 'not run  %s\n' "$*"
}

# sdx COMMAND…: with the kit's programs and libraries.
sdx() { env LD_LIBRARY_PATH="$libraries" PATH="$bin:$PATH" "$@"; }

# step CODE SECONDS NAME COMMAND…: what it says goes to NAME.out and NAME.err.
step() {
  local code="$1" limit="$2" name="$3" got=0 begin=$SECONDS
  shift 3
  ((on_gpu)) || limit=$((limit * 10))
  env LD_LIBRARY_PATH="$libraries" PATH="$bin:$PATH" timeout "$limit" "$@" \
    >"$out/$name.out" 2>"$out/$name.err" </dev/null || got=$?
  if ((got == code)); then
    well "$name ($((SECONDS - begin)) s)"
  else
    bad "$name: exit code $got, not $code ($((SECONDS - begin)) s)"
    tail -n 4 "$out/$name.err" | cut -c 1-300
  fi
}

# gpu_step …: a step, if there is a GPU.
gpu_step() { if ((on_gpu)); then step "$@"; else without_gpu "$3"; fi; }

# says NAME TEXT, never_says NAME TEXT: of a step's messages, where it ran on a GPU.
says() {
  ((on_gpu)) || return 0
  if grep -qF -- "$2" "$out/$1.err"; then well "$1 says: $2"; else bad "$1 does not say: $2"; fi
}
never_says() {
  ((on_gpu)) || return 0
  if grep -F -- "$2" "$out/$1.err"; then bad "$1 says: $2"; else well "$1 does not say: $2"; fi
}

# Recordings are used, and each gave what the plain work gives.
records() {
  says "$1" "$2: recorded"
  never_says "$1" "one by one"
}

compare() {
  local name="$1"
  shift
  if "$python" "$SDX_SOURCE/scripts/gpu/compare.py" "$@" >"$out/$name.out" 2>&1; then
    well "$name: $(tail -n 1 "$out/$name.out")"
  else
    bad "$name: $(tail -n 3 "$out/$name.out")"
  fi
}

# ---------------------------------------------------------------- a: what is right

check_a() {
  local way size seed
  local portraits="$SDX_SOURCE/configs/demo/portraits/ada"
  local -a learn=(sdx-train "$portraits" --init "a person")

  sdx ldd "$work/lib/sdx/libsdx-tools.so" >"$out/ldd.out"
  if grep 'not found' "$out/ldd.out"; then bad "libraries are missing"; else well "libraries"; fi
  step 0 60 version sdx-generate --version
  if grep -q ', GPU recordings built in$' "$out/version.out"; then
    well "$(<"$out/version.out")"
  else
    bad "version: recordings are not built in: $(<"$out/version.out")"
  fi
  step 0 60 import sdx-model import "$SDX_SOURCE/configs/models/mini" --name mini \
    --models-dir "$work/share/sdx/models" --force

  # Forward recordings, also of the passes that keep and reuse features.
  step 0 60 picture sdx-generate "a robot" --device "$device" --steps 8 --seed 1 -v --out picture
  says picture "Computing on cuda:0 in fp16"
  says picture "GPU recordings built in"
  records picture "UNet forward"
  step 0 60 reuse sdx-generate "a robot" --device "$device" --steps 12 --seed 1 --reuse-features 3 \
    -v --out reuse
  records reuse "UNet forward_reusing"

  # Training: forward and backward recordings, and the judge beside them.
  step 0 180 train "${learn[@]}" --name Ada --steps 30 --device "$device" -v
  records train "UNet forward"
  step 0 120 train-low "${learn[@]}" --name Low --steps 11 --memory low --device "$device" -v

  # Gradients as the processor's: of the first step, later ones drift.
  for way in "cpu fp32 normal 0" "cuda fp32 normal 0.01" "cuda fp16 normal 0.03" \
    "cuda fp16 low 0.03" "cuda bf16 normal 0.1"; do
    local on dtype memory most
    read -r on dtype memory most <<<"$way"
    local name="trace-$on-$dtype-$memory"
    local -a trace=("${learn[@]}" --name Trace --force --steps 2 --milestone-steps 0 --device "$on"
      --dtype "$dtype" --memory "$memory" --trace "$name.safetensors" --trace-steps 2)
    if [[ "$on" == cpu ]]; then
      step 0 120 "$name" "${trace[@]}"
    elif ((on_gpu)) && [[ "$dtype" == bf16 ]] && ! has_bfloat16; then
      step 69 120 "$name" "${trace[@]}"  # before Ampere: refused in a sentence
    elif ((on_gpu)); then
      step 0 120 "$name" "${trace[@]}"
      compare "gradients-$on-$dtype-$memory" trace trace-cpu-fp32-normal.safetensors \
        "$name.safetensors" "$most"
    else
      without_gpu "$name"
    fi
  done

  # What only a GPU can show, as the test suite has it.
  if ! ((on_gpu)); then
    without_gpu "gpu_e2e_test"
  elif link_test; then
    step 0 300 gpu_e2e_test sdx-cli-tests -# "[#gpu_e2e_test]"
    tail -n 3 "$out/gpu_e2e_test.out"
  else
    bad "gpu_e2e_test: '$(<"$work/source-folder")', where it was built, cannot be linked to this checkout"
  fi

  # One thread records while another decodes; with one thread nothing runs beside.
  for size in 128x128 128x192 192x128 192x192 256x128; do
    for seed in 1 2; do
      printf -- '--prompt "a robot" --size %s --seed %s\n' "$size" "$seed"
    done
  done >prompts.txt
  step 0 120 beside sdx-generate --prompts prompts.txt --batch 1 --steps 6 --device "$device" -v --out beside
  records beside "UNet forward"
  step 0 120 alone sdx-generate --prompts prompts.txt --batch 1 --steps 6 --device "$device" \
    --threads 1 --out alone
  # On the processor the threads share out sums, which changes last bits.
  if ((on_gpu)); then compare "decoding-beside" same beside alone; else without_gpu "decoding-beside"; fi

  # The same again.
  step 0 60 again sdx-generate --from-image "$(find picture -name '*.png' | head -n 1)" \
    --device "$device" --out again
  compare "from-image" same picture again
  step 0 180 train-again "${learn[@]}" --name Ada --steps 30 --device "$device" --embeddings again-e --runs again-r
  if cmp -s embeddings/Ada.safetensors again-e/Ada.safetensors; then
    well "two trainings: the same bytes"
  elif ((on_gpu)); then
    printf 'note     %s\n' "two trainings differ in their last digits, as docs/gpu.md says"
  else
    bad "two trainings on the processor differ"
  fi

  # Which device.
  step 0 60 hidden-auto env CUDA_VISIBLE_DEVICES= sdx-generate "a robot" --steps 1 --seed 1 -v --out hidden
  if grep -qF "Computing on cpu in fp32" "$out/hidden-auto.err"; then
    well "hidden-auto computes on the processor"
  else
    bad "hidden-auto does not say that it computes on the processor"
  fi
  step 69 60 hidden-cuda env CUDA_VISIBLE_DEVICES= sdx-generate "a robot" --steps 1 --device cuda
  step 69 60 cuda-77 sdx-generate "a robot" --steps 1 --device cuda:77

  if ((on_gpu)) && have compute-sanitizer; then
    step 0 180 memcheck compute-sanitizer --tool memcheck --error-exitcode 99 \
      "$bin/sdx-generate" "a robot" --steps 4 --seed 1 --device cuda --out memcheck
  else
    without_gpu "memcheck (compute-sanitizer)"
  fi
}

has_bfloat16() {
  local capability
  capability="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1)"
  ((${capability%%.*} >= 8))
}

# ---------------------------------------------------------------- b: how fast

# bench NAME PROGRAM ARGUMENT…: a measurement, whose table is shown.
bench() {
  local name="$1" program="$2"
  shift 2
  if [[ "$name" == cpu-* ]]; then
    step 0 120 "$name" "$program" --model "$model" "$@" --json "$out/$name.json"
  else
    gpu_step 0 150 "$name" "$program" --model "$model" "$@" --json "$out/$name.json"
  fi
  [[ ! -s "$out/$name.out" ]] || cat "$out/$name.out"
}

check_b() {
  local dtype smi held
  model="$PWD/models/sd15"
  step 0 180 make-sd15 "$python" "$SDX_SOURCE/scripts/bench/make_sd15.py" sd15
  step 0 120 import-sd15 sdx-model import sd15 --name sd15 --models-dir models --link
  bench gpu-fp16 sdx-bench --device cuda --dtype fp16 --repeats 7
  bench gpu-fp16-plain "$work/plain/bin/sdx-bench" --device cuda --dtype fp16 \
    --phases unet,vae,picture,step,evaluation --repeats 7
  for dtype in bf16 fp32; do
    if [[ "$dtype" == bf16 ]] && ((on_gpu)) && ! has_bfloat16; then continue; fi
    bench "gpu-$dtype" sdx-bench --device cuda --dtype "$dtype" --phases unet,step --repeats 5
  done
  bench cpu-fp32 sdx-bench --device cpu --dtype fp32 --phases unet --repeats 1
  # Which kind of attention is the faster one.
  bench gpu-fp16-flash env TORCH_CUDNN_SDPA_DEPRIORITIZED=1 sdx-bench --device cuda --dtype fp16 \
    --phases unet,step --repeats 5

  # What training of a full-size model takes; then too little memory for a picture.
  if ((on_gpu)); then
    nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 200 >"$out/used.txt" &
    smi=$!
  fi
  gpu_step 0 180 train-sd15 sdx-train "$SDX_SOURCE/configs/demo/portraits/ada" --name Big \
    --init "a person" --steps 30 --batch 1 --device cuda --model "$model" -v
  if ((on_gpu)); then
    kill "$smi"
    say "most memory in use: $(sort -n "$out/used.txt" | tail -n 1) MiB"
    records train-sd15 "UNet forward"
    "$python" "$SDX_SOURCE/scripts/gpu/compare.py" hog 5 90 >hog.out 2>&1 &
    held=$!
    while kill -0 "$held" 2>/dev/null && ! grep -q held hog.out; do sleep 0.2; done
  fi
  gpu_step 75 60 out-of-memory sdx-generate "a robot" --model "$model" --device cuda \
    --size 2048x2048 -n 4 --batch 4 --steps 2 --out oom
  says out-of-memory "memory"
  gpu_step 0 90 little-memory sdx-generate "a robot" --model "$model" --device cuda \
    --size 1024x1024 --steps 2 -v --out pieces
  if ((on_gpu)); then kill "$held" 2>/dev/null || true; fi
}

# ---------------------------------------------------------------- all of it

unpack
find_libtorch
out="${out:-$work/out}"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
on_gpu=0
device=cpu
if has_gpu; then
  on_gpu=1
  device=cuda
  nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.used,memory.total --format=csv,noheader
else
  say "no GPU here (nvidia-smi): steps that need one are not run"
fi
# Of this run alone: its files are no earlier one's.
rm -rf "$work/run-$part"
mkdir -p "$work/run-$part"
cd "$work/run-$part"
"check_$part"
say "$passed passed, $failed failed, $not_run not run; what each step said: $out"
((failed == 0))
