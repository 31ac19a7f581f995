#!/bin/sh
# Bring .venv up to date: `scripts/setup.sh run` for running, `dev` for developing too.
#
# Needs only Python >= 3.11. What is installed is remembered in .venv as a checksum of the files
# that ask for it: a second call installs nothing and needs no network; a changed file installs again.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)
python=.venv/bin/python

main() {
    usable || create
    echo "$here" >.venv/.place
    step uv requirements/uv.txt
    step run requirements/uv.txt requirements/build.txt requirements/run.txt pyproject.toml
    [ "$1" = run ] || step dev requirements/uv.txt requirements/dev.txt
    "$python" scripts/build_models.py
}

# A .venv that was moved here names its old place in every script: it is made anew.
usable() {
    "$python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
        [ "$(cat .venv/.place 2>/dev/null || echo "$here")" = "$here" ]
}

create() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null || continue
        echo "making .venv with $("$candidate" --version)"
        "$candidate" -m venv --clear "$here/.venv"
        return
    done
    echo "inferd needs Python 3.11 or newer with its venv module; none of" \
        "${PYTHON:-python3 and python3.11 to python3.14} is one." >&2
    echo "Debian, Ubuntu: apt install python3-venv. Elsewhere: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

# step NAME FILE...: run install_NAME unless it was run with these very files.
step() {
    name=$1
    shift
    key=$(cat "$@" | cksum)
    [ "$(cat ".venv/.installed-$name" 2>/dev/null)" != "$key" ] || return 0
    "install_$name"
    echo "$key" >".venv/.installed-$name"
}

install_uv() {
    "$python" -m pip --disable-pip-version-check install --quiet \
        --require-hashes -r requirements/uv.txt
}

install_run() {
    uv_install --require-hashes -r requirements/run.txt -r requirements/build.txt
    uv_install --offline --no-deps --no-build-isolation --reinstall --editable .
}

install_dev() {
    uv_install --require-hashes -r requirements/dev.txt
}

# Never `uv pip sync`: it would remove what was installed by hand, a torch for this GPU, say.
uv_install() {
    .venv/bin/uv pip install --python "$python" "$@"
}

main "${1:-run}"
