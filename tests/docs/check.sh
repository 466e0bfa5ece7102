#!/usr/bin/env bash
# Checks the pages: each link to a file leads to one, and each link to a heading to one that is there.
# No page, header or message holds a phrase that the editor struck out (docs/style.md).
# Run by CTest as unit.docs:
#   check.sh SOURCE_FOLDER      the check
#   check.sh --self-test        shows that each rule can fail
set -euo pipefail

# The anchors of a page's headings, as GitHub makes them: small letters, a hyphen for a blank, no marks.
list_anchors() {
  sed -n 's/^##* *//p' "$1" | sed 's/`//g; s/\[\([^]]*\)\]([^)]*)/\1/g' | tr '[:upper:] ' '[:lower:]-' |
    sed 's/[^a-z0-9_-]//g'
}

# Phrases that a native reader stumbles over, as extended regular expressions, whatever their case.
STRUCK_OUT=(
  'of everything random'
  'killed at any (moment|time)'
  'goes on where it (was|stood)'
  'whom they concern'
  'refuse who'
  'no such column'
  '(^|[.:;] )who (has|gave|wants|knows) '
)

check() {
  local root="$1" faults=0 page link file anchor
  fault() {
    printf '%s\n' "$*"
    faults=$((faults + 1))
  }
  while IFS= read -r page; do
    # Links in code are examples.
    while IFS= read -r link; do
      case "$link" in
        http://* | https://* | mailto:*) continue ;;
      esac
      file="${link%%#*}"
      anchor=""
      [[ "$link" != *#* ]] || anchor="${link#*#}"
      [[ -n "$file" ]] && file="$(dirname "$page")/$file" || file="$page"
      if [[ ! -e "$file" ]]; then
        fault "$page: links to '$link', which is not there"
      elif [[ -n "$anchor" && "$file" == *.md ]] && ! list_anchors "$file" | grep -qxF -- "$anchor"; then
        fault "$page: links to '$link', but that page has no such heading"
      fi
    done < <(sed '/^```/,/^```/d; s/`[^`]*`//g' "$page" | grep -oE '\]\([^) ]+\)|src="[^"]+"' |
      sed -E 's/^\]\(//; s/\)$//; s/^src="//; s/"$//' || true)
  done < <(find "$root" -name '*.md' -not -path '*/build/*' -not -path '*/.git/*' | sort)
  local phrase found
  for phrase in "${STRUCK_OUT[@]}"; do
    # The page about prose quotes them.
    while IFS= read -r found; do
      fault "$found: struck out by docs/style.md: '$phrase'"
    done < <(grep -rniE --include='*.md' --include='*.h' --include='*.cpp' "$phrase" "$root" 2>/dev/null |
      grep -vE '/(build|\.git)/|docs/style\.md:' | cut -c1-160 || true)
  done
  if ((faults)); then
    echo "docs: $faults faults"
    return 1
  fi
  echo "docs: all links lead somewhere, and no phrase is struck out"
}

self_test() {
  root="$(mktemp -d)"  # global: the trap runs after this function has returned
  trap 'rm -rf "$root"' EXIT
  printf '# A Page of `code`\n[b](b.md), [here](#a-page-of-code), `[x](none)`\n' >"$root/a.md"
  printf '# B\n[a](a.md#a-page-of-code) [net](https://example.org/none)\n' >"$root/b.md"
  check "$root" >/dev/null || { echo "self-test: good pages are refused"; exit 1; }
  local line
  for line in '[x](none.md)' '[x](a.md#none)' '[x](#none)' '<img src="none.png">'; do
    printf '%s\n' "$line" >"$root/c.md"
    ! check "$root" >/dev/null || { echo "self-test: not noticed: $line"; exit 1; }
  done
  for line in 'Killed at any moment' '/// Of everything random' 'It works. Who has none is refused.'; do
    printf '%s\n' "$line" >"$root/c.md"
    ! check "$root" >/dev/null || { echo "self-test: not noticed: $line"; exit 1; }
  done
  echo "docs: every rule can fail"
}

case "${1:-}" in
  --self-test) self_test ;;
  "") echo "usage: check.sh SOURCE_FOLDER | --self-test" >&2; exit 64 ;;
  *) check "$1" ;;
esac
