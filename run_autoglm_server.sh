#!/bin/sh
# Starts the server on 127.0.0.1:8000; every option is one of `autoglm-phone serve`:
#
#   sh run_autoglm_server.sh [--port 9000] [--model nano-plus] ...
#
# The first start makes a virtual environment, installs the locked dependencies and puts the model's files together.
# Later starts find all that in order and need no network.

set -eu
ROOT=$(cd "$(dirname "$0")" && pwd)

model_in_file() {
    [ ! -f "$1" ] || sed -n 's/^model *= *"\(.*\)".*/\1/p' "$1"
}

model=${AUTOGLM_MODEL:-}
config=${AUTOGLM_CONFIG:-}
only_asks=no
previous=
for argument; do
    case $previous in
    --model) model=$argument ;;
    --config) config=$argument ;;
    esac
    case $argument in
    --model=*) model=${argument#--model=} ;;
    --config=*) config=${argument#--config=} ;;
    --help | --version) only_asks=yes ;;
    esac
    previous=$argument
done
[ -n "$model" ] || model=$(model_in_file "$config")

sh "$ROOT/scripts/setup.sh" venv requirements.lock
if [ "$only_asks" = no ]; then
    sh "$ROOT/scripts/setup.sh" bundle "${model:-autoglm-phone-nano}"
fi
exec "${AUTOGLM_VENV:-$ROOT/.venv}/bin/autoglm-phone" serve "$@"
