#!/bin/sh
# Make a Python environment with the peers' losses for deep adaptation, apart from the one that is developed in. Their pins are
# left out (they ask for old releases of much that the losses do not use).
#
#   sh benchmarks/deep-peers-setup.sh .deep-peers     then     .deep-peers/bin/python benchmarks/deep_steps.py --help
set -eu
folder=${1:?expected the folder to make, for example .deep-peers}
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet -c "$here/constraints.txt" "$here[deep]"
"$folder/bin/python" -m pip install --quiet --no-deps "dalib==0.2" "pytorch-adapt==0.0.83" "pytorch-metric-learning==2.8.1" tqdm qpsolvers \
    torchmetrics lightning-utilities
