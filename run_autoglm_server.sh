#!/bin/sh
# Starts the server on 127.0.0.1:8000; every option is one of `autoglm-phone serve`:
#
#   sh run_autoglm_server.sh [--port 9000] [--model nano-plus] ...
#
# The first start makes a virtual environment, installs the locked dependencies and puts the model's files together.
# Later starts find all that in order and need no network. Where AUTOGLM_HOME names a folder and nothing names a model,
# a bundle or a GGUF file that lies in the folder is served; else the embedded default, kept in that folder.

set -eu
# it may have been called through a link
ROOT=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)

model_in_file() {
    [ ! -f "$1" ] || sed -n 's/^model *= *"\(.*\)".*/\1/p' "$1"
}

model_in_folder() {
    if [ -f "$1/bundle.toml" ]; then
        printf '%s\n' "$1"
        return
    fi
    set -- "$1"/*.gguf
    if [ $# -gt 1 ]; then
        printf '%s\n' "run_autoglm_server.sh: there are $# GGUF files, say which by --model: $*" >&2
        exit 1
    elif [ -f "$1" ]; then
        printf '%s\n' "$1"
    fi
}

model=${AUTOGLM_MODEL:-}
config=${AUTOGLM_CONFIG:-}
only_asks=
previous=
for argument; do
    case $previous in
    --model) model=$argument ;;
    --config) config=$argument ;;
    esac
    case $argument in
    --model=*) model=${argument#--model=} ;;
    --config=*) config=${argument#--config=} ;;
    --help) only_asks=help ;;
    --version) only_asks=version ;;
    esac
    previous=$argument
done
[ -n "$model" ] || model=$(model_in_file "$config")
if [ -z "$model" ] && [ -n "${AUTOGLM_HOME:-}" ]; then
    model=$(model_in_folder "$AUTOGLM_HOME")
    if [ -n "$model" ]; then
        export AUTOGLM_MODEL="$model"
    fi
fi

sh "$ROOT/scripts/setup.sh" venv requirements.lock
case $only_asks in
version) set -- --version ;; # of the program, not of one of its commands
help) set -- serve --help ;;
*)
    sh "$ROOT/scripts/setup.sh" bundle "${model:-autoglm-phone-nano}"
    set -- serve "$@"
    ;;
esac
exec "${AUTOGLM_VENV:-$ROOT/.venv}/bin/autoglm-phone" "$@"
