"""Readers of the published data sets, each under the name that the commands know it by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfermap.bench import reviews
from transfermap.bench.catalogue import SETS, Domain, Domains, dataset
from transfermap.bench.dataset_files import arrays, labels, rows
from transfermap.bench.image_data import read_classes, shrink

__all__ = ["SETS"]
_OFFICE = ("caltech10", "amazon", "webcam", "dslr")  # the order of the papers' tables: C, A, W, D
_OFFICE_TERMS = "none stated; Gong et al. 2012, Saenko et al. 2010, Griffin et al. 2007 (research use)"
_SURF = {"caltech10": "Caltech10", "amazon": "amazon", "webcam": "webcam", "dslr": "dslr"}


@dataset(
    "office-caltech-surf",
    domains=_OFFICE,
    files=[f"office_caltech10/surf/{file}_SURF_L10.mat" for file in _SURF.values()],
    licence=_OFFICE_TERMS,
)
def office_caltech_surf(data_dir: Path) -> Domains:
    """Office + Caltech-10, bags of 800 SURF words, 10 classes; the table of the classical papers."""
    found = {}
    for name, file in _SURF.items():
        path = data_dir / "office_caltech10" / "surf" / f"{file}_SURF_L10.mat"
        content = arrays(path, ("fts", "labels"))
        found[name] = Domain(rows(content["fts"], path), labels(content["labels"], path))
    return found


def _deep(folder: Path, names: Sequence[str]) -> Domains:
    """Feature files ``<domain>.npz`` with X and y."""
    found = {}
    for name in names:
        content = arrays(folder / f"{name}.npz", ("X", "y"))
        found[name] = Domain(rows(content["X"], folder / name), labels(content["y"], folder / name))
    return found


@dataset(
    "office-caltech-efflite0",
    domains=_OFFICE,
    files=[f"office_caltech10/efflite0_1280/{name}.npz" for name in _OFFICE],
    licence=_OFFICE_TERMS,
)
def office_caltech_efflite0(data_dir: Path) -> Domains:
    """Office + Caltech-10, 1280 features of an EfficientNet-Lite0 trained on ImageNet, 10 classes."""
    return _deep(data_dir / "office_caltech10" / "efflite0_1280", _OFFICE)


@dataset(
    "office-caltech-images",
    domains=_OFFICE,
    files=[f"office_caltech10/images_160/{name}" for name in _OFFICE],
    licence=_OFFICE_TERMS,
)
def office_caltech_images(data_dir: Path) -> Domains:
    """Office + Caltech-10, the images themselves as 16 x 16 grey values, 10 classes; needs Pillow."""
    folder = data_dir / "office_caltech10" / "images_160"
    return {name: Domain(*read_classes(folder / name, side=16)) for name in _OFFICE}


def _jda_pair(path: Path, first: str, second: str) -> Domains:
    """The two domains of one of the JDA paper's files."""
    a = arrays(path, ("Xs", "Ys", "Xt", "Yt"))
    # these files keep an image in a column, labels in a row
    return {
        first: Domain(rows(a["Xs"].T, path), labels(a["Ys"], path)),
        second: Domain(rows(a["Xt"].T, path), labels(a["Yt"], path)),
    }


@dataset(
    "digits-jda",
    domains=("usps", "mnist"),
    files=["digits/USPS_vs_MNIST.mat"],
    licence="none stated; Long et al. 2013 (research use)",
)
def digits_jda(data_dir: Path) -> Domains:
    """The JDA paper's 1,800 digits of USPS and 2,000 of MNIST, 16 x 16 grey values."""
    return _jda_pair(data_dir / "digits" / "USPS_vs_MNIST.mat", "usps", "mnist")


@dataset(
    "coil20",
    domains=("coil1", "coil2"),
    files=["coil20/COIL1_vs_COIL2.mat"],
    licence="none stated; Nene, Nayar and Murase 1996 (research use)",
)
def coil20(data_dir: Path) -> Domains:
    """COIL-20: twenty objects seen from two halves of a full turn, 32 x 32 grey values."""
    return _jda_pair(data_dir / "coil20" / "COIL1_vs_COIL2.mat", "coil1", "coil2")


@dataset(
    "digits",
    domains=("usps", "mnist"),
    files=["digits/mnist_train.npz", "digits/mnist_test.npz", "digits/usps.h5"],
    licence="none stated; LeCun, Cortes and Burges 1998, Hull 1994 (research use)",
)
def digits(data_dir: Path) -> Domains:
    """All 70,000 digits of MNIST, their frame brought to 16 x 16, and all 9,298 of USPS, in [0, 1]."""
    folder = data_dir / "digits"
    halves = [arrays(folder / f"mnist_{half}.npz", ("X", "y")) for half in ("train", "test")]
    X = np.concatenate([shrink(half["X"], 16) for half in halves]) / np.float32(255)
    mnist = Domain(X, np.concatenate([labels(half["y"], folder) for half in halves]))
    parts = arrays(folder / "usps.h5", [f"{half}/{what}" for half in ("train", "test") for what in ("data", "target")])
    usps = Domain(
        rows(np.concatenate([parts["train/data"], parts["test/data"]]), folder / "usps.h5"),
        labels(np.concatenate([parts["train/target"], parts["test/target"]]), folder / "usps.h5"),
    )
    return {"usps": usps, "mnist": mnist}


_PACS = ("photo", "art_painting", "cartoon", "sketch")


@dataset(
    "pacs-efflite0",
    domains=_PACS,
    files=[f"pacs_efflite0_sub/{name}.npz" for name in _PACS],
    licence="none stated; Li et al. 2017 (research use)",
)
def pacs_efflite0(data_dir: Path) -> Domains:
    """PACS, 60 images a class and style, 1280 features of an EfficientNet-Lite0 trained on ImageNet, 7 classes."""
    return _deep(data_dir / "pacs_efflite0_sub", _PACS)


_SHOP = ("books", "dvd", "electronics", "kitchen")
_SHOP_FILES = [f"amazon_reviews/{name}/{half}.review" for name in _SHOP for half in ("negative", "positive")]
_SHOP_TERMS = "none stated; Blitzer, Dredze and Pereira 2007 (research use)"


@dataset("amazon-reviews", domains=_SHOP, files=_SHOP_FILES, licence=_SHOP_TERMS, joint=reviews.tfidf)
def amazon_reviews(data_dir: Path) -> Domains:
    """2,000 product reviews of each of four shops, positive or negative; TF-IDF of words and pairs of words, sparse."""
    return {name: Domain(*reviews.read_reviews(data_dir / "amazon_reviews" / name)) for name in _SHOP}


@dataset("amazon-reviews-counts", domains=_SHOP, files=_SHOP_FILES, licence=_SHOP_TERMS, joint=reviews.counts)
def amazon_reviews_counts(data_dir: Path) -> Domains:
    """The same reviews as counts of words and pairs of words, sparse."""
    return amazon_reviews(data_dir)
