#!/usr/bin/env bash
# Checks the wording of the pages, of the headers' comments and of the programs' messages by the rules
# of docs/style.md that a linter can check: at most 20 words a sentence. (Words to avoid: tests/docs/check.sh.)
# It needs Node.js, and installs the linter (textlint) into the cache at its first run.
#   scripts/docs/prose.sh             everything
#   scripts/docs/prose.sh FILE...     only these: pages, headers or sources
#   scripts/docs/prose.sh --no-install [FILE...]   only if the linter is installed
# Exit code 69: there is no Node.js, or no linter and it must not be installed. A line "<!-- textlint-disable -->" ends the check of a page.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case "${1:-}" in
  -h | --help)
    show_help "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
install=1
if [[ "${1:-}" == --no-install ]]; then
  install=""
  shift
fi
have npm || { say "prose: not checked: npm (Node.js) is missing"; exit 69; }

settings="$SDX_SOURCE/scripts/docs/prose"
linter="$(cache_dir)/prose-$(sha256sum "$settings/package.json" | cut -c1-12)"
if [[ ! -x "$linter/node_modules/.bin/textlint" ]]; then
  [[ -n "$install" ]] || { echo "SKIPPED: the linter of prose is not installed (scripts/docs/prose.sh)"; exit 69; }
  say "installing the linter into $linter"
  mkdir -p "$linter"
  cp "$settings/package.json" "$linter/"
  (cd "$linter" && npm install --no-audit --no-fund --no-package-lock --silent)
fi

cd "$SDX_SOURCE" || exit
files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(git ls-files '*.md' 'include/*.h' 'src/*.h' 'src/*.cpp' 'tools/*.cpp')
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
code=()
pages=()
for file in "${files[@]}"; do
  case "$file" in
    *.h | *.cpp) code+=("$file") ;;
    *) pages+=("$file") ;;
  esac
done
((${#pages[@]} == 0)) || cp --parents "${pages[@]}" "$work"
((${#code[@]} == 0)) || python3 "$settings/extract.py" "$work" "${code[@]}"
status=0
(cd "$work" && "$linter/node_modules/.bin/textlint" --config "$settings/textlintrc.json" \
  --rules-base-directory "$linter/node_modules" --format unix '**/*.md') >"$work/faults.txt" || status=$?
sed "s#^$work/##; s#\(\.h\|\.cpp\)\.md:#\1:#" "$work/faults.txt"
((status == 0)) && say "prose: no fault (files: ${#files[@]})"
exit "$status"
