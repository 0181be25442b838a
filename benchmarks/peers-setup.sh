#!/bin/sh
# Make a Python environment with the peers that benchmarks compare against, apart from the one that is developed in:
# importing skada changes scikit-learn's settings for the whole process, and ADAPT brings TensorFlow.
#
#   sh benchmarks/peers-setup.sh .peers     then     python benchmarks/peers.py --peers .peers/bin/python
set -eu
folder=${1:?expected the folder to make, for example .peers}
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet "skada==0.6.0" "adapt==0.4.5" "POT==0.9.7.post1"
