#!/usr/bin/env bash
# Makes the virtual environment: VENV, with PYTHON, PyTorch from TORCH_INDEX if that is set.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
TORCH_INDEX=${TORCH_INDEX:-}

"$PYTHON" - <<'EOF'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"helion-ir needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. "
             "Name another one: make PYTHON=python3.12 ...")
EOF

# A PyTorch that drives this machine's GPU is kept: it fits the driver, and it is large.
options=()
if "$PYTHON" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    options=(--system-site-packages)
    echo "using the PyTorch of $PYTHON"
fi
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv ${options[@]+"${options[@]}"} "$VENV"

pip=("$VENV/bin/python" -m pip install -q --disable-pip-version-check)
index=()
[ -z "$TORCH_INDEX" ] || index=(--extra-index-url "$TORCH_INDEX")
if ! "$VENV/bin/python" -c 'import torch' 2>/dev/null; then
    # The pair that results are known of; a GPU machine brings its own.
    "${pip[@]}" ${index[@]+"${index[@]}"} torch==2.13.0 triton==3.7.1
fi
"${pip[@]}" ${index[@]+"${index[@]}"} -e '.[test]'
