#!/bin/sh
# ./run.sh demo | test | bench | any command of whmcs-bridge
# Makes .venv from the hashed lock file at the first start; needs only Python 3.11+.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

# The system's own comes first: it is built with its optimizations, which others
# (pyenv's) are not; that is a third of all speed. PYTHON comes before it.
find_python() {
    for needs in "sys, venv, ensurepip" sys; do
        for name in ${PYTHON:-} /usr/bin/python3 python3.13 python3.12 python3.11 python3 python; do
            if "$name" -c "import $needs; sys.exit(not (3, 11) <= sys.version_info < (3, 15))" \
                >/dev/null 2>&1; then
                printf '%s' "$name"
                return 0
            fi
        done
    done
    return 1
}

# make_venv DIRECTORY LOCKFILE: installs when the lock file is not the installed one.
make_venv() {
    stamp="$1/.installed"
    if [ -x "$1/bin/python" ] && cmp -s "$2" "$stamp"; then
        return 0
    fi
    if [ ! -x "$1/bin/python" ]; then
        python=$(find_python) || {
            say "run.sh: Python 3.11 or newer is needed and was not found (set PYTHON=/path/to/python3)."
            exit 1
        }
        say "Making $1 with $("$python" --version 2>&1) ..."
        if command -v uv >/dev/null 2>&1; then
            uv venv -q --python "$("$python" -c 'import sys; print(sys.executable)')" "$1"
        elif ! "$python" -m venv "$1" >/dev/null 2>&1; then
            rm -rf "$1"
            say "run.sh: $python cannot make virtual environments (on Debian: apt-get install python3-venv)."
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
