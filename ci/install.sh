#!/usr/bin/env bash
# Installs kade2kfp for the action (action.yml), in an environment of its own, and says where it is.
#   INPUT_VERSION   a version from the package index; empty: what the action itself was checked out with
# The action may be called several times in a job: the later ones find it there.
set -euo pipefail

what=$GITHUB_ACTION_PATH
if [[ -n ${INPUT_VERSION-} ]]; then
    if [[ ! $INPUT_VERSION =~ ^[0-9][0-9A-Za-z.+!]*$ ]]; then
        echo '::error::version is none, such as 0.1.0'
        exit 2
    fi
    what="kade2kfp==$INPUT_VERSION"
fi

place=$RUNNER_TEMP/kade2kfp
if [[ $(cat "$place/installed" 2>/dev/null) != "$what" ]]; then
    rm -rf "$place"
    python3 -m venv "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$what"
    printf '%s\n' "$what" >"$place/installed"
fi
"$place/bin/kade2kfp" --version
printf 'kade2kfp=%s\n' "$place/bin/kade2kfp" >>"$GITHUB_OUTPUT"
