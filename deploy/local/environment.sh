#!/bin/sh
# Makes .venv from requirements/*.txt, or leaves it alone if it is what they and the interpreter ask for.
#
# PYTHON names the interpreter; without it the first that really runs and is new enough is taken. Shims of
# version managers answer to a name and then fail, so every candidate is run.
set -eu

cd "$(dirname "$0")/../.."
stamp=.venv/.complete # written last: an environment without it was interrupted

usable() {
    "$1" -c '
import sys, sysconfig
import ensurepip, venv
sys.exit(sys.version_info < (3, 12) or bool(sysconfig.get_config_var("Py_GIL_DISABLED")))
' >/dev/null 2>&1
}

# The version that the images have comes first, then the oldest, which everything must still run on.
candidates() {
    for version in 3.13 3.12 3.14; do
        command -v "python$version" || true
        for root in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".* /usr/local /opt/homebrew \
            "${UV_PYTHON_INSTALL_DIR:-${HOME:-}/.local/share/uv/python}/cpython-$version".*; do
            echo "$root/bin/python$version"
        done
    done
    command -v python3 || true
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        usable "$PYTHON" && echo "$PYTHON" && return
        echo "PYTHON=$PYTHON does not run, is older than 3.12, is free-threaded or lacks venv and ensurepip." >&2
        return 1
    fi
    candidates | while read -r python; do
        if usable "$python"; then
            echo "$python"
            break
        fi
    done
}

# What the environment is made of and where, for its programs name their folder: made anew when this changes.
fingerprint() {
    "$1" -c 'import os, sys; print(os.path.realpath(sys.base_prefix), sys.version)' | tr '\n' ' '
    echo "$PWD $(cat requirements/build.txt requirements/dev.txt | cksum)"
}

if [ -z "${PYTHON:-}" ] && [ -e "$stamp" ] && usable .venv/bin/python; then
    python=.venv/bin/python
else
    python=$(find_python)
fi
if [ -z "$python" ]; then
    echo "Python 3.12 or newer with venv and ensurepip is missing (on Debian: python3 and python3-venv);" \
        "PYTHON=/path/to/python names one that was not found." >&2
    exit 1
fi

wanted=$(fingerprint "$python")
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && usable .venv/bin/python && exit

echo "making .venv with $("$python" -VV | head -n 1); this takes about a minute …"
[ "$python" = .venv/bin/python ] && python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')
rm -rf .venv
"$python" -m venv .venv
install() {
    .venv/bin/python -m pip install -qq --disable-pip-version-check "$@"
}
install --require-hashes -r requirements/build.txt
install --require-hashes --no-build-isolation -r requirements/dev.txt
install --no-build-isolation --no-deps --editable .
echo "$wanted" >"$stamp"
