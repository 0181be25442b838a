"""Model files: a zip that holds a manifest and skops parts. Loading one never runs code that the file brings along.

Only types on an allow-list are built: scikit-learn's and numpy's (as skops vouches for them), this package's own, and a
few of scikit-learn's inner parts that its forests and boosted trees consist of. Everything else is refused, by name.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree

from transfermap._version import __version__, versions
from transfermap.card import find, keys

FORMAT = 2
_KIND = "transfermap-model"
_MANIFEST, _MODEL = "manifest.json", "model.skops"
_OWN = (
    "transfermap.data.encode.encoder.TableEncoder",
    "transfermap.data.encode.fill.MedianFill",
    "transfermap.data.encode.scale.NumberScaler",
    "transfermap.deep.pretrained.text_features.Sentences",
    "transfermap.data.encode.topics.Topics",
    "transfermap.deep.estimators.DeepClassifier",
    "transfermap.deep.estimators.DeepRegressor",
    "transfermap.measure.shift.support.Support",
    "transfermap.adapted.Adapted",
    "transfermap.verdict.voting.SoftVoting",
)
# parts of scikit-learn that skops does not list: they hold arrays and numbers only
_INNER = (
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)


def allowed() -> list[str]:
    """The types that a model file may hold beside scikit-learn's and numpy's own."""
    methods = (find(key) for key in keys())
    return [*_OWN, *_INNER, *(f"{cls.__module__}.{cls.__qualname__}" for cls in methods)]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; when all went well it becomes ``path`` in one step, otherwise ``path`` stays as it was."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected the name of a file to write")
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {path.parent}")
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def save(model: Any, path: str | Path, **manifest: Any) -> None:
    """Write a fitted model to one file.

    Parameters
    ----------
    model : estimator, or dict/list of estimators and arrays
        What to keep, made of scikit-learn's and this package's parts.
    path : path
        The file; it is replaced in one step, or left as it was.
    **manifest
        What else to put on record; JSON must be able to hold it.

    Raises
    ------
    ValueError
        If the model holds a type that :func:`load` would refuse, or the place cannot be written.
    """
    import skops.io

    data = skops.io.dumps(model)
    _refuse_foreign(data, f"{type(model).__name__} cannot be saved")
    facts = {
        "kind": _KIND,
        "format": FORMAT,
        "versions": versions(),
        "sha256": hashlib.sha256(data).hexdigest(),
    } | manifest
    with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MANIFEST, json.dumps(facts, ensure_ascii=False, indent=1))
        archive.writestr(_MODEL, data)


def load(path: str | Path) -> Any:
    """The model of a file that :func:`save` wrote.

    Raises
    ------
    ValueError
        If the file is missing, cut off, no model file, of a newer format, or holds types that are not allowed; nothing
        of it has been run then.
    """
    return open_model(path)[0]


def open_model(path: str | Path) -> tuple[Any, Mapping[str, Any]]:
    """The model of a file and its manifest; raises as :func:`load` does."""
    import skops.io

    path = Path(path)
    manifest, data = _read(path)
    _check_manifest(path, manifest, data)
    _refuse_foreign(data, f"{path} is not loaded")
    try:
        model = skops.io.loads(data, trusted=allowed())
        _check_trees(model)
    except Exception as error:
        # skops raises whatever the part it was rebuilding raises; to the reader it is one thing
        raise ValueError(f"{path} cannot be rebuilt with the versions installed here ({error})") from error
    return model, manifest


def _read(path: Path) -> tuple[Any, bytes]:
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a model file")
    if not path.is_file():
        raise ValueError(f"there is no file {path}; expected a model file that transfermap wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_MANIFEST)), archive.read(_MODEL)
    except Exception as error:  # zipfile and the decompressors below it raise many kinds for a damaged file
        raise ValueError(
            f"{path} is no model file of transfermap, or it is cut off or damaged ({path.stat().st_size} bytes)"
        ) from error


def _check_manifest(path: Path, manifest: Any, data: bytes) -> None:
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        raise ValueError(f"{path} is a zip, but no model file of transfermap: its manifest does not say {_KIND!r}")
    if isinstance(manifest.get("format"), int) and manifest["format"] < FORMAT:
        raise ValueError(
            f"{path} was written by an earlier version, in format {manifest['format']}, which is read no more: "
            "fit the model and save it again"
        )
    if manifest.get("format") != FORMAT:
        by = manifest.get("versions", {}).get("transfermap", "?")
        raise ValueError(
            f"{path} has format {manifest.get('format')!r}, written by transfermap {by}; this is transfermap "
            f"{__version__}, which reads format {FORMAT}: install a newer one"
        )
    if hashlib.sha256(data).hexdigest() != manifest.get("sha256"):
        raise ValueError(f"{path} is damaged: the model in it does not have the checksum of its manifest")


def _refuse_foreign(data: bytes, what: str) -> None:
    import skops.io

    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=data)) - set(allowed()))
    except Exception as error:  # a hostile file may trip the parser in any way
        raise ValueError(f"{what}: its parts cannot be read ({error})") from error
    if foreign:
        raise ValueError(f"{what}: it holds types that a model file may not hold: {', '.join(foreign)}")


def _check_trees(part: Any) -> None:
    """Refuse trees whose branches lead outside of them: compiled code would follow those without looking."""
    for name, left, right, feature, width in _trees(part):
        n = np.arange(len(left))
        inner = (left >= 0) & (left != right)
        fine = (left < len(n)) & (right < len(n)) & (left > n) & (right > n) & (feature >= 0) & (feature < width)
        if not fine[inner].all():
            raise ValueError(f"a {name} in it is not sound")


def _trees(part: Any, width: int = 0) -> Iterator[tuple[str, Any, Any, Any, int]]:
    """All decision trees within ``part``: name, left and right children, split feature, number of features."""
    if isinstance(part, Tree):
        yield "decision tree", part.children_left, part.children_right, part.feature, part.n_features
    elif isinstance(part, TreePredictor):
        nodes = part.nodes
        left = np.where(nodes["is_leaf"], -1, nodes["left"].astype(int))
        yield "boosted tree", left, nodes["right"].astype(int), nodes["feature_idx"].astype(int), width
    elif isinstance(part, Mapping):
        for inner in part.values():
            yield from _trees(inner, width)
    elif isinstance(part, (list, tuple)) or (isinstance(part, np.ndarray) and part.dtype == object):
        for inner in part:
            yield from _trees(inner, width)
    elif isinstance(part, BaseEstimator):
        yield from _trees(vars(part), getattr(part, "n_features_in_", width))
