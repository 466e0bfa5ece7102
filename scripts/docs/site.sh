#!/usr/bin/env bash
# Builds the pages of docs/ into a site that can be searched: build/site. The search needs a server, for
# example: python3 -m http.server --directory build/site
# A dead link, a page that the navigation leaves out, or any other warning is an error.
#   scripts/docs/site.sh              install what is missing (a Python environment in the cache), build
#   scripts/docs/site.sh --no-install build only if it is installed; else exit code 69
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

settings="$SDX_SOURCE/scripts/docs/site"
environment="$(cache_dir)/site-$(sha256sum "$settings/requirements.txt" | cut -c1-12)"
case "${1:-}" in
  "" | --no-install) ;;
  -h | --help)
    show_help "${BASH_SOURCE[0]}"
    exit 0
    ;;
  *) die "unknown argument '$1'; scripts/docs/site.sh takes --no-install or nothing." ;;
esac
if [[ ! -x "$environment/bin/mkdocs" ]]; then
  if [[ "${1:-}" == --no-install ]]; then
    echo "SKIPPED: the site's generator is not installed (scripts/docs/site.sh)"
    exit 69
  fi
  say "installing the site's generator into $environment"
  rm -rf "$environment"
  "${SDX_PYTHON:-python3}" -m venv "$environment" || die "python3-venv is missing; install it and run this again."
  "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$settings/requirements.txt" || {
    rm -rf "$environment"
    die "the site's generator could not be installed (see above)."
  }
fi
# --quiet would hide the warnings from --strict as well.
NO_MKDOCS_2_WARNING=1 "$environment/bin/mkdocs" build --strict --config-file "$settings/mkdocs.yml"
say "site: $SDX_SOURCE/build/site/index.html"
