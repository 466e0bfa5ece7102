#!/usr/bin/env bash
# Sets up, builds and runs the tests. Arguments go to ctest: scripts/test.sh -L unit -R model
# With --all also those of full-size models (12 GB of disk, 16 GB of memory, about half an hour), and
# unless arguments choose tests, each fuzz target for 30 seconds, where there is clang, and the pages
# in Chromium, where there is one: tests/cli/requirements.txt is installed in build/browser for it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

selection=(--label-exclude full)
arguments=()
all=0
for argument in "$@"; do
  if [[ "$argument" == --all ]]; then
    selection=()
    all=1
  else
    arguments+=("$argument")
  fi
done

run_setup
build_release -DSDX_BUILD_TESTS=ON

# Continuous integration checks the site of the pages and their wording too; elsewhere what they need
# is not asked for. What is wrong with them is said by unit.docs-site and unit.docs-prose.
if is_ci || ((all)); then
  stage_begin "what checks the pages"
  "$SDX_SOURCE/scripts/docs/site.sh" >"$SDX_SOURCE/build/site.log" 2>&1 || true
  "$SDX_SOURCE/scripts/docs/prose.sh" README.md >>"$SDX_SOURCE/build/site.log" 2>&1 || true
  stage_end ""
fi

stage_begin "tests"
log="$SDX_SOURCE/build/release/ctest.log"
status=0
(cd "$SDX_SOURCE" && ctest --preset release --no-tests=error --parallel 2 ${selection[@]+"${selection[@]}"} \
  ${arguments[@]+"${arguments[@]}"}) 2>&1 | tee "$log" || status=$?
stage_end ""

# Cases that need what this machine lacks (a GPU, shared test data) say so and count.
tests_log="$SDX_SOURCE/build/release/Testing/Temporary/LastTest.log"
skipped="$(grep -a '^SKIPPED:' "$tests_log" 2>/dev/null | sort | uniq -c || true)"
if [[ -n "$skipped" ]]; then
  say "test cases that were skipped (how many, why):"
  printf '%s\n' "$skipped"
fi
if ((all && ${#arguments[@]} == 0)); then
  stage_begin "fuzz targets"
  fuzz_status=0
  "$SDX_SOURCE/scripts/fuzz.sh" 30 || fuzz_status=$?
  # 69: this machine has no clang, which was said.
  ((status != 0 || fuzz_status == 69)) || status="$fuzz_status"
  stage_end ""
  if have chromium || have chromium-browser || have google-chrome; then
    stage_begin "pages in Chromium"
    browser="$SDX_SOURCE/build/browser"
    if "${SDX_PYTHON:-python3}" -m venv "$browser" &&
      "$browser/bin/pip" install --quiet --requirement "$SDX_SOURCE/tests/cli/requirements.txt"; then
      (cd "$SDX_SOURCE" && SDX_PYTHON="$browser/bin/python" ctest --preset release --no-tests=error \
        --tests-regex '^cli\.gallery_browser$' --verbose) || status="$?"
    else
      say "the pages are not tested: tests/cli/requirements.txt could not be installed"
    fi
    stage_end ""
  fi
fi
stage_summary
# CTest's verdict once more, as the last words.
grep -aE '^[0-9]+% tests passed|^Total Test time|^No tests were found' "$log" || true
exit "$status"
