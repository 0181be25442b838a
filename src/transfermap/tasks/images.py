"""Folders of images as tables: a column a feature of a backbone, beside each image's file and class."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from transfermap.data.images.image_files import Images, PathText, find_images
from transfermap.deep.pretrained.backbones import at_hand, backbone, providers
from transfermap.deep.pretrained.feature_cache import Features, features
from transfermap.deep.pretrained.provider import Backbone
from transfermap.messages import Note

Tick = Callable[[str], None]
AUTO = "auto"
# of the images of a folder that may be damaged; one always may
SPOILED = 0.1


def chosen_backbone(name: str = AUTO) -> tuple[Backbone, Note]:
    """The backbone of that name ("auto": the first for images that is installed), and how it was chosen.

    Raises
    ------
    ValueError
        If there is none, or it is not for images.
    """
    net = backbone(_first() if name == AUTO else name)
    if net.kind != "images":
        raise ValueError(f"the backbone {name} is for {net.kind}; expected one for images")
    values = {"backbone": net.name, "width": net.width, "side": net.side}
    return net, Note("images.backbone_first" if name == AUTO else "images.backbone", "info", values)


def table_of(net: Backbone, found: Images, what: str, tick: Tick) -> tuple[pd.DataFrame, Features]:
    """The images as rows of features, without those that cannot be read.

    Raises
    ------
    ValueError
        If more than one in ten cannot be read.
    """
    files = found.files
    seen = features(net, files, tick=lambda done, of: tick(f"looking at {what}, {done:,} of {of:,} images"))
    if len(seen.faults) > max(1, SPOILED * len(files)) or len(seen.faults) == len(files):
        reason = next(iter(seen.faults.values()))
        raise ValueError(f"{len(seen.faults)} of {len(files)} images in {what} cannot be read; the first: {reason}")
    good = [i for i in range(len(files)) if i not in seen.faults]
    columns = pd.DataFrame(seen.values[good], columns=[f"f{j}" for j in range(net.width)])
    return pd.concat([found.table.iloc[good].reset_index(drop=True), columns], axis=1), seen


def image_table(net: Backbone, path: PathText, label: str, tick: Tick) -> tuple[pd.DataFrame, list[Note], str]:
    """The images of a folder, or those that a table names, as rows of features (:func:`table_of`); what is to be said
    of them; and the SHA-256 of their names and contents."""
    found = find_images(path, label)
    table, seen = table_of(net, found, str(path), tick)
    return table, [*found.notes, *_unreadable(found, seen)], _digest(found.files, seen)


def _first() -> str:
    names = at_hand("images")
    if not names:
        wanted = next(p for p in providers("images") if not p.open)
        raise ValueError(
            f"images are read by a pretrained net (a backbone), and none is installed here; one comes with: "
            f"pip install {' '.join(name.replace('_', '-') for name in wanted.needs)}"
        )
    return names[0]


def image_rows(
    path: PathText, features_of: Mapping[str, Any], label: str, tick: Tick
) -> tuple[pd.DataFrame, list[Note]]:
    """New images as features of a run's backbone, and what to say of those that are left out.

    Raises
    ------
    ValueError
        If the run's backbone is not here, or has other weights now.
    """
    net = backbone(features_of["backbone"])
    if net.digest != features_of["digest"]:
        raise ValueError(f"the backbone {net.name} has other weights here than those that the run was made with")
    table, notes, _ = image_table(net, path, label, tick)
    return table, notes


def _unreadable(found: Images, seen: Features) -> list[Note]:
    if not seen.faults:
        return []
    names = [found.files[i] for i in seen.faults]
    values = {"count": len(names), "total": len(found.files), "files": names}
    return [Note("images.unreadable", "warn", values)]


def _digest(files: Sequence[str], seen: Features) -> str:
    """SHA-256 of the images' names and contents."""
    lines = sorted(f"{name} {content}" for name, content in zip(files, seen.digests, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf8", "surrogateescape")).hexdigest()
