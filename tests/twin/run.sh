#!/bin/sh
# Installs the twin beside the build and lets saseo talk in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/twin"
cp "$here/package.json" "$here/talk.mjs" "$target/twin/"
target=$(cd "$target" && pwd)
(cd "$target/twin" && npm install --no-audit --no-fund --silent)
SASEO="$target/release/saseo" MANUAL="$here/../../knowledge" \
    MODELS="${SASEO_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/saseo/models}" \
    node "$target/twin/talk.mjs"
