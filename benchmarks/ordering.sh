#!/bin/sh
# Is it true that DDA > JDA > TCA > conditional adaptation (STL)? Mean ranks over 40 tasks and five draws of the source, with a
# Friedman and a Nemenyi test.
#
#   sh benchmarks/ordering.sh DATA_FOLDER ordering.jsonl
#
# Tasks: Office + Caltech-10 as SURF histograms (12) and as deep features (12), PACS (12), digits (2), COIL20 (2). One setting
# for all tasks: linear kernel on rows of length one, penalty 1, 40 components, ten rounds, 1-nearest neighbour. Each draw
# takes 20 labelled source rows a class. It goes on where it stopped.
set -eu
data=${1:?expected the folder that holds the data sets}
records=${2:?expected the file of records, for example ordering.jsonl}
params="n_components=40,kernel=linear,reg=1.0"
run() {
    transfermap bench run $1 --preprocess "$2" -o "$records" --data-dir "$data" --seeds 0,1,2,3,4 --per-class 20 --jobs "${JOBS:-2}" \
        --methods "tca:$params,jda:$params,dda:$params,stl:$params"
}
run "digits-jda coil20 pacs-efflite0" l2
run office-caltech-surf l1z-l2
run office-caltech-efflite0 l2
transfermap bench show "$records"
