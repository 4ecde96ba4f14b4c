#!/bin/sh
# ./run.sh demo | test | bench | any command of whmcs-bridge
# Makes .venv from the hashed lock file at the first start; needs only Python 3.11+.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

# fits NAME MODULES: that is a Python that can be used, and has these modules.
fits() {
    "$1" -c "import $2; sys.exit(not (3, 11) <= sys.version_info < (3, 15))" >/dev/null 2>&1
}

# The system's own comes first: it is built with its optimizations, which others
# (pyenv's) are not; that is a third of all speed. Not on macOS, where it may be a
# stub that opens a window. PYTHON, if it is set, is the only one.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" sys || return 1
        printf '%s' "$PYTHON"
        return 0
    fi
    first=/usr/bin/python3
    [ "$(uname)" = Darwin ] && first=
    for needs in "sys, venv, ensurepip" sys; do
        for name in $first python3.13 python3.12 python3.11 python3 python; do
            if fits "$name" "$needs"; then
                printf '%s' "$name"
                return 0
            fi
        done
    done
    return 1
}

# whole DIRECTORY: its Python starts, and is still the version it was made with.
whole() {
    "$1/bin/python" -ISc '
import os, sys
name = "python%d.%d" % sys.version_info[:2]
sys.exit(not any(found.startswith(name) for found in os.listdir(sys.argv[1])))
' "$1/lib" >/dev/null 2>&1
}

# installs DIRECTORY: packages can be installed into it. Not if its making was interrupted.
installs() {
    command -v uv >/dev/null 2>&1 || "$1/bin/python" -Ic 'import pip' >/dev/null 2>&1
}

# make_venv DIRECTORY LOCKFILE: installs when the lock file is not the installed one.
make_venv() {
    stamp="$1/.installed"
    if whole "$1"; then
        cmp -s "$2" "$stamp" && return 0
        installs "$1" || rm -rf "$1"
    else
        rm -rf "$1"
    fi
    if [ ! -d "$1" ]; then
        python=$(find_python) || {
            if [ -n "${PYTHON:-}" ]; then
                say "run.sh: PYTHON=$PYTHON is no Python 3.11 or newer (unset it, and one is looked for)."
            else
                say "run.sh: Python 3.11 or newer is needed and was not found (set PYTHON=/path/to/python3)."
            fi
            exit 1
        }
        say "Making $1 with $("$python" --version 2>&1) ..."
        if command -v uv >/dev/null 2>&1; then
            uv venv -q --python "$("$python" -c 'import sys; print(sys.executable)')" "$1"
        elif ! why=$("$python" -m venv "$1" 2>&1); then
            rm -rf "$1"
            fits "$python" "sys, venv, ensurepip" || why="on Debian: apt-get install python3-venv"
            say "run.sh: $python cannot make virtual environments (${why##*
})."
            exit 1
        fi
    fi
    say "Installing $2 ..."
    if command -v uv >/dev/null 2>&1; then
        uv pip install -q --python "$1/bin/python" --require-hashes -r "$2"
    else
        "$1/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$2"
    fi
    cp "$2" "$stamp"
}

command="${1:-help}"
[ $# -gt 0 ] && shift

case "$command" in
test)
    make_venv .venv-dev requirements-dev.lock
    # Hundreds of processes are started: each would compile the project again.
    unset PYTHONDONTWRITEBYTECODE
    # A process more than cores, since tests wait for servers and for each other; a
    # file's tests stay together, and share its fixtures.
    cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    export PYTEST_XDIST_AUTO_NUM_WORKERS="${PYTEST_XDIST_AUTO_NUM_WORKERS:-$((cores + 1))}"
    exec .venv-dev/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile "$@"
    ;;
check-code)
    make_venv .venv-dev requirements-dev.lock
    .venv-dev/bin/ruff check .
    .venv-dev/bin/ruff format --check .
    exec .venv-dev/bin/mypy
    ;;
bench)
    make_venv .venv-dev requirements-dev.lock
    exec .venv-dev/bin/python -m bench "$@"
    ;;
help)
    say "usage: ./run.sh demo [--once] | test | bench | check-code | COMMAND of whmcs-bridge"
    make_venv .venv requirements.lock
    exec .venv/bin/python -m bridge --help
    ;;
*)
    make_venv .venv requirements.lock
    exec .venv/bin/python -m bridge "$command" "$@"
    ;;
esac
