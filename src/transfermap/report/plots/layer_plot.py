"""Where in a net to adapt, as a heat map: a row a choice of layers, a column a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from transfermap.report.plots.drawing import BETTER, INK, MUTED, PAPER, SIZE, blank, literal
from transfermap.report.plots.run_plots import NothingToShow

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_DARK = 0.55  # of the full colour, above which white letters are the better readable


def layer_plot(table: pd.DataFrame) -> Figure:
    """A heat map of what :func:`transfermap.studies.adapt_layers.where_to_adapt` found.

    Scores have scales of their own: each column is coloured from its lowest value (white) to its highest, and each cell
    says its value. A column of equal values stays white.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if the table has no cells.

    Examples
    --------
    >>> import pandas as pd
    >>> layer_plot(pd.DataFrame({"infomax": [0.2, 0.5]}, index=["features.0", "head"])).axes[0].texts[1].get_text()
    '0.500'
    """
    if table.empty:
        raise NothingToShow("a heat map of layers needs at least one choice and one score; the table has none")
    from matplotlib.colors import LinearSegmentedColormap

    values = table.to_numpy(dtype=float)
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    shade = np.divide(values - low, high - low, out=np.zeros_like(values), where=high > low)
    names = [literal(str(name)) for name in table.index]
    left = 0.2 + 0.08 * max(map(len, names))
    figure = blank(left + 1.0 * values.shape[1] + 0.2, 0.5 + 0.34 * len(values))
    width, height = figure.get_size_inches()
    ax = figure.add_axes((left / width, 0.08 / height, 1 - (left + 0.15) / width, 1 - 0.45 / height))
    ax.imshow(shade, cmap=LinearSegmentedColormap.from_list("score", [PAPER, BETTER]), vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        color = PAPER if shade[i, j] > _DARK else INK
        ax.text(j, i, f"{value:.3f}", ha="center", va="center", fontsize=SIZE, color=color)
    ax.set_yticks(range(len(names)), names, fontsize=SIZE, color=INK)
    ax.set_xticks(range(values.shape[1]), [literal(str(c)) for c in table.columns], fontsize=SIZE, color=MUTED)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    for side in ax.spines.values():
        side.set_visible(False)
    return figure
