#!/usr/bin/env bash
# Checks that the C++ sources are formatted as .clang-format says; --fix formats them.
# clang-format is not needed to build, so it is not installed by setup.sh: pip install clang-format
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have clang-format || die "clang-format is missing; install it (apt-get install clang-format, or pip install clang-format) and run this again."
mode=(--dry-run --Werror)
case "${1:-}" in
  --fix) mode=(-i) ;;
  "") ;;
  *) die "unknown argument '$1'; scripts/check_format.sh takes --fix or nothing." ;;
esac
find "$SDX_SOURCE"/{include,src,tools,tests} \( -name '*.h' -o -name '*.cpp' \) -print0 |
  xargs -0 --no-run-if-empty clang-format --style=file "${mode[@]}"
