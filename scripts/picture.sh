#!/bin/sh
# The front page's picture of a report, from a real run:
#
#   python benchmarks/newcomer.py --quiet --keep session && sh scripts/picture.sh session/run1
set -eu
run=${1:?expected the folder of a run}
page=$(cd "$run" && pwd)/report.html
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,1500 --screenshot=docs/report.png "file://$page"
# 64 colours are enough for text, at half the size
python -c "from PIL import Image; p = 'docs/report.png'; Image.open(p).convert('RGB').quantize(64, dither=0).save(p, optimize=True)"
