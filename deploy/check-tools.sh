#!/bin/sh
# Says what is missing before a long build finds out, and how to get it.
missing=0
need() {
    command -v "$1" >/dev/null 2>&1 && return
    printf 'saseo needs %s: %s\n' "$1" "$2" >&2
    missing=1
}
need cargo "install Rust 1.90 or newer with rustup (https://rustup.rs)"
need cc "install a C compiler (Debian, Ubuntu: apt-get install build-essential; macOS: xcode-select --install)"
need git "install git (Debian, Ubuntu: apt-get install git)"
need pkg-config "install pkg-config (Debian, Ubuntu: apt-get install pkg-config)"
need python3 "install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip); the starter models come from Python wheels"
if command -v python3 >/dev/null 2>&1 && ! python3 -m pip --version >/dev/null 2>&1; then
    echo "saseo needs pip: install it (Debian, Ubuntu: apt-get install python3-pip); the starter models come from Python wheels" >&2
    missing=1
fi
if command -v pkg-config >/dev/null 2>&1 && [ "$(uname)" = Linux ] && ! pkg-config --exists openssl; then
    echo "saseo needs OpenSSL's headers: install them (Debian, Ubuntu: apt-get install libssl-dev; Fedora: dnf install openssl-devel); the Discord client speaks through OpenSSL" >&2
    missing=1
fi
if command -v cargo >/dev/null 2>&1; then
    version=$(rustc --version 2>/dev/null | cut -d' ' -f2)
    minor=$(printf '%s' "$version" | cut -d. -f2)
    if [ "${minor:-0}" -lt 90 ]; then
        echo "saseo needs Rust 1.90 or newer, this is $version: run 'rustup update stable'" >&2
        missing=1
    fi
fi
exit $missing
