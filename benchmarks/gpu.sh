#!/bin/sh
# Measure training on this machine's GPU, in less than 8 minutes. Prints a table and writes it to outputs/bench/.
set -eu
cd "$(dirname "$0")/.."
exec timeout 480 "${PYTHON:-python}" -m benchmarks.gpu "$@"
