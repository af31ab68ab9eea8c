#!/bin/sh
# Installs Slack's library for Python beside the build and asks it about saseo's Slack.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/oracle"
target=$(cd "$target" && pwd)
python3 -m venv "$target/oracle"
"$target/oracle/bin/python" -m pip install --quiet --disable-pip-version-check \
    -r "$here/requirements.txt"
SASEO_ORACLE="$target/oracle/bin/python" ${CARGO:-cargo} test --no-default-features \
    --features slack --locked --test saseo -- slack::oracle --ignored --nocapture
