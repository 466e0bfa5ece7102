#!/usr/bin/env bash
# Checks that the modules depend on each other in one direction only and by their public headers,
# that public headers stay light, that headers, sources and tests mirror each other, and that the
# library does not speak of options of the command line. Run by CTest as unit.architecture:
#   check.sh SOURCE_FOLDER      the check
#   check.sh --self-test        shows that each rule can fail
set -euo pipefail

# In dependency order: a module may include itself and those before it.
MODULES=(util device tensor tokenizer image scheduler model embedding prompt dataset generation training
  roster cli)
# Further bans, FROM:TO, that the order alone would allow: samplers are pure functions of sigmas.
BANNED=(scheduler:model)
# These cost 10 to 26 seconds in every file that sees them; ATen/core/Tensor.h serves for headers.
HEAVY='torch/torch\.h|torch/script\.h|torch/all\.h|ATen/ATen\.h'

rank_of() {
  local i
  for i in "${!MODULES[@]}"; do
    if [[ "${MODULES[$i]}" == "$1" ]]; then
      echo "$i"
      return
    fi
  done
  echo -1
}

check() {
  local root="$1" faults=0 rest file line from to private rank_from rank_to ban header source name
  fault() {
    printf '%s\n' "$*"
    faults=$((faults + 1))
  }

  # One grep over all files: FILE:LINE:#include "sdx/<module>/…" (src-internal ones lack the sdx/).
  while IFS=: read -r file line rest; do
    from="${file#"$root"/}"
    from="${from#include/sdx/}"
    from="${from#src/}"
    from="${from%%/*}"
    to="${rest#*[\"<]}"
    private=1
    [[ "$to" == sdx/* ]] && private=0
    to="${to#sdx/}"
    case "$to" in
      */*) to="${to%%/*}" ;;
      version.h\") continue ;;   # generated, belongs to no module
      *) to="$from" ;;           # a neighbour in the same folder
    esac
    if ((private)) && [[ "$file" == "$root"/include/* ]]; then
      fault "$file:$line: a public header includes a private one"
    elif ((private)) && [[ "$to" != "$from" ]]; then
      fault "$file:$line: '$from' includes a private header of '$to'; make it public or move it to util"
    fi
    rank_from="$(rank_of "$from")"
    rank_to="$(rank_of "$to")"
    if ((rank_from < 0)); then
      fault "$file: '$from' is not a module; known are: ${MODULES[*]}"
    elif ((rank_to < 0)); then
      fault "$file:$line: includes from '$to', which is not a module; known are: ${MODULES[*]}"
    elif ((rank_to > rank_from)); then
      fault "$file:$line: '$from' includes from '$to', which stands above it; the order is: ${MODULES[*]}"
    fi
    for ban in "${BANNED[@]}"; do
      if [[ "$ban" == "$from:$to" ]]; then
        fault "$file:$line: '$from' must not know '$to'"
      fi
    done
  done < <(grep -rnE --include='*.h' --include='*.cpp' '^[[:space:]]*#[[:space:]]*include[[:space:]]+("|<sdx/)' \
    "$root/include" "$root/src" 2>/dev/null || true)

  while IFS=: read -r file line rest; do
    fault "$file:$line: a public header includes a heavy header of libtorch ($rest); include ATen/core/Tensor.h or forward-declare"
  done < <(grep -rnE --include='*.h' "#[[:space:]]*include[[:space:]]+[\"<]($HEAVY)[\">]" "$root/include" \
    2>/dev/null || true)

  # Which devices there are, only `device` knows.
  while IFS=: read -r file line rest; do
    fault "$file:$line: names CUDA, which only the module device does"
  done < <(grep -rniE 'cuda' "$root/include" "$root/src" 2>/dev/null | grep -vE '/device/' || true)

  # It goes deeper into the stack with each letter, and 100,000 letters are its end.
  while IFS=: read -r file line rest; do
    fault "$file:$line: std::regex overflows the stack on a long text; read it letter by letter"
  done < <(grep -rnE 'std::regex|#include <regex>' "$root/include" "$root/src" "$root/tools" 2>/dev/null || true)

  # Settings have keys, which a message shows in backticks; the command line makes options of them.
  while IFS=: read -r file line rest; do
    fault "$file:$line: a text names an option of the command line; name the setting: \`steps\`"
  done < <(grep -rnE '"[^"]*--[a-z]' "$root/include" "$root/src" 2>/dev/null |
    grep -vE '/cli/|^[^:]*:[0-9]+:[[:space:]]*//' || true)

  # One name, one class: two of a name in the namespace are undefined behaviour, which no linker reports.
  while IFS= read -r name; do
    fault "two headers define a class '$name'; rename one of them: $(grep -rlE "^(class|struct) $name( final)?( :.*)? *\{" "$root/include" "$root/src" --include='*.h' | tr '\n' ' ')"
  done < <(grep -rhE '^(class|struct) [A-Za-z]+( final)?( :.*)? *\{' "$root/include" "$root/src" --include='*.h' 2>/dev/null |
    sed -E 's/^(class|struct) ([A-Za-z]+).*/\2/' | sort | uniq -d)

  # Every source has its header: the public one, or one beside it. Exempt are the sources of one
  # header that is split by topic: model/import/*_program.cpp (programs.h), cli/*_command.cpp (tool.h),
  # image/decode_*.cpp (decoders.h), image/encode_*.cpp (encoders.h), scheduler/sample_*.cpp
  # (sampler.h).
  while IFS= read -r source; do
    header="${source#"$root"/src/}"
    header="${header%.cpp}.h"
    case "$header" in
      model/import/*_program.h) header="model/import/programs.h" ;;
      cli/*_command.h) header="cli/tool.h" ;;
      image/decode_*.h) header="image/decoders.h" ;;
      image/encode_*.h) header="image/encoders.h" ;;
      scheduler/sample_*.h) header="scheduler/sampler.h" ;;
    esac
    if [[ ! -f "$root/include/sdx/$header" && ! -f "$root/src/$header" ]]; then
      fault "$source: has no header include/sdx/$header or src/$header"
    fi
  done < <(find "$root/src" -name '*.cpp' 2>/dev/null | sort)

  # A test says in its name what it tests: the source's name, or that and a topic
  # (generator_parity_test.cpp). Tests of the programs stand in tests/cli.
  while IFS= read -r source; do
    file="${source#"$root"/tests/}"
    file="${file%_test.cpp}"
    [[ -d "$root/src/${file%/*}" && "$file" != cli/* ]] || continue
    name="$file"
    until [[ -f "$root/src/$name.cpp" || -f "$root/src/$name.h" || -f "$root/include/sdx/$name.h" ]]; do
      if [[ "${name##*/}" != *_* ]]; then
        fault "$source: tests no source of its name; call it as a source of src/${file%/*}, with or without a topic behind"
        break
      fi
      name="${name%_*}"
    done
  done < <(find "$root/tests" -name '*_test.cpp' 2>/dev/null | sort)

  if ((faults)); then
    echo "architecture: $faults faults"
    return 1
  fi
  echo "architecture: modules, headers and mirrors are in order"
}

# A tree with one fault for each rule must be refused, one without must pass.
self_test() {
  root="$(mktemp -d)"  # global: the trap runs after this function has returned
  trap 'rm -rf "$root"' EXIT
  fresh() {
    rm -rf "${root:?}"/*
    mkdir -p "$root"/include/sdx/{util,model,prompt,scheduler} "$root"/src/{util,model,scheduler}
    echo '#include "sdx/util/a.h"' >"$root/include/sdx/model/m.h"
    echo '#include <string>' >"$root/include/sdx/util/a.h"
    echo '#include "sdx/util/a.h"' >"$root/src/util/a.cpp"
  }
  expect_fault() {
    if check "$root" >"$root/out"; then
      echo "self-test: not noticed: $1"
      exit 1
    fi
    grep -q -- "$2" "$root/out" || {
      echo "self-test: wrong message for: $1"
      cat "$root/out"
      exit 1
    }
  }
  fresh
  check "$root" >/dev/null || { echo "self-test: a good tree is refused"; exit 1; }
  echo '#include "sdx/prompt/p.h"' >"$root/src/util/a.cpp"
  expect_fault "upward include" "stands above it"
  fresh
  echo '#  include <sdx/model/m.h>' >"$root/include/sdx/util/a.h"
  expect_fault "upward include in angle brackets" "stands above it"
  fresh
  echo '#include "sdx/model/m.h"' >"$root/include/sdx/scheduler/s.h"
  expect_fault "banned pair" "must not know"
  fresh
  echo '#include "sdx/stranger/x.h"' >"$root/src/util/a.cpp"
  expect_fault "unknown module" "not a module"
  fresh
  echo '#include <torch/script.h>' >"$root/include/sdx/model/m.h"
  expect_fault "heavy header" "heavy header"
  fresh
  echo 'device = "cuda";' >"$root/src/model/m.h"
  expect_fault "CUDA outside device" "only the module device"
  fresh
  echo '#include "util/hidden.h"' >"$root/src/model/m.h"
  expect_fault "private header of another module" "private header of 'util'"
  fresh
  echo '#include "model/hidden.h"' >"$root/include/sdx/model/m.h"
  expect_fault "private header in a public one" "public header includes a private one"
  fresh
  echo 'throw Error("--steps: expected 1 or more");' >>"$root/src/util/a.cpp"
  expect_fault "option of the command line" "names an option"
  fresh
  echo '#include <regex>' >>"$root/src/util/a.cpp"
  expect_fault "regular expression" "overflows the stack"
  fresh
  touch "$root/src/util/lonely.cpp"
  expect_fault "source without header" "has no header"
  fresh
  echo 'struct Same {};' | tee "$root/src/util/a.h" >"$root/include/sdx/model/b.h"
  expect_fault "a class defined twice" "two headers define a class 'Same'"
  fresh
  mkdir -p "$root/tests/util"
  touch "$root/tests/util/a_test.cpp" "$root/tests/util/a_topic_test.cpp"
  check "$root" >/dev/null || { echo "self-test: a good test's name is refused"; exit 1; }
  touch "$root/tests/util/other_test.cpp"
  expect_fault "test without a source" "tests no source of its name"
  echo "architecture: every rule can fail"
}

case "${1:-}" in
  --self-test) self_test ;;
  "") echo "usage: check.sh SOURCE_FOLDER | --self-test" >&2; exit 64 ;;
  *) check "$1" ;;
esac
