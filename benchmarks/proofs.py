"""CCA, ESZSL, GAN and CycleGAN on data of a size at which something can go wrong; each beside its controls.

    python benchmarks/proofs.py DATA_FOLDER --seeds 5
    python benchmarks/proofs.py DATA_FOLDER --seeds 3 --only "negatives" "ring"

Captioned digits: MNIST at 14 x 14 pixels through 300 random rectified features, and captions of 12 words of 200, of
which 45 % come from the digit's own 20; 1,500 unlabelled pairs, 2,000 labelled captions, no image label. Wikipedia:
labels of texts and pairs, no image label. Negatives: MNIST at 16 x 16, and negatives of other digits, of half the
contrast and with noise; a rule learnt on digits is asked about negatives that CycleGAN has translated, and a rule
learnt on digits translated to negatives about negatives. Ring: eight clouds, of which GAN is to make all. Coloured
digits: classes are a digit in one of three colours, six of which have no row. AwA: the standard 10 unseen of 50
animals. Nothing is chosen by target labels; the calibration for old and new classes together is chosen, with the
ridge, by classes and rows of the source that are held out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from transfermap.methods.crossmodal.cca import CCA
from transfermap.methods.translation.cyclegan import CycleGAN
from transfermap.methods.translation.gan import GAN
from transfermap.methods.zero_shot.eszsl import ESZSL
from transfermap.split import Side

Array = np.ndarray


def digits(folder: Path, part: str) -> tuple[Array, Array]:
    """MNIST at 14 x 14, values from 0 to 1, and the digits."""
    with np.load(folder / "digits" / f"mnist_{part}.npz") as file:
        X, y = (file[key] for key in sorted(file, key=lambda k: -file[k].ndim))
    return X.reshape(-1, 14, 2, 14, 2).mean((2, 4)) / 255, y


def rectified(X: Array, width: int, rng: np.random.Generator) -> Array:
    W = rng.normal(size=(X.shape[1], width)) / np.sqrt(X.shape[1])
    return np.maximum(X @ W + 0.1 * rng.normal(size=width), 0)


def captions(y: Array, rng: np.random.Generator) -> Array:
    own = rng.random((len(y), 12)) < 0.45
    words = np.where(own, 20 * y[:, None] + rng.integers(0, 20, own.shape), rng.integers(0, 200, own.shape))
    return np.stack([np.bincount(row, minlength=200) for row in words]).astype(float)


def taught_across(texts: Array, images: Array, side: Side, y: Array, truth: Array, **params: float) -> float:
    """Accuracy on the last images of a rule learnt on the last texts, in the space that the pairs give."""
    width = max(texts.shape[1], images.shape[1])
    X = np.full((len(texts) + len(images), width), np.nan)
    X[: len(texts), : texts.shape[1]], X[len(texts) :, : images.shape[1]] = texts, images
    where = np.repeat([0, -1], [len(texts), len(images)])
    Z = CCA(other_columns=True, **params).fit_transform(X, sample_domain=where, side=side)
    rule = LogisticRegression(max_iter=2000).fit(Z[len(texts) - len(y) : len(texts)], y)
    return rule.score(Z[-len(truth) :], truth)


def captioned(folder: Path, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    X, y = digits(folder, "train")
    pairs, learnt, asked = np.split(rng.permutation(len(X))[:5500], [1500, 3500])
    texts = captions(y[np.r_[pairs, learnt]], rng)
    images = rectified(X[np.r_[pairs, asked]].reshape(-1, 196), 300, rng)
    names = np.r_[np.arange(1500), np.full(2000, -1)]
    side = Side(pairs=np.r_[names, names])
    few = np.concatenate([np.flatnonzero(y[asked] == k)[:5] for k in range(10)])
    held = np.setdiff1d(np.arange(2000), few)
    alone = LogisticRegression(max_iter=2000).fit(images[1500:][few], y[asked][few])
    across = (texts, images)
    return {
        "CCA, no image label": taught_across(*across, side, y[learnt], y[asked]),
        "the same, 20 axes": taught_across(*across, side, y[learnt], y[asked], n_components=20),
        "shuffled pairs": taught_across(*across, side.shuffled(seed), y[learnt], y[asked]),
        "images alone, 5 labels a class": alone.score(images[1500:][held], y[asked][held]),
    }


def harmonic(m: ESZSL, old: tuple[Array, Array], new: tuple[Array, Array]) -> float:
    a, b = m.score(*old), m.score(*new)
    return 2 * a * b / max(a + b, 1e-12)


def zero_shot(X: Array, y: Array, unseen: Array, known: dict, rng: np.random.Generator, by: str) -> dict[str, float]:
    """Accuracy among new classes, the control, and the harmonic mean of old and new without and with calibration."""
    new = np.isin(y, unseen)
    held = ~new & (rng.random(len(y)) < 0.2)
    rows = ~new & ~held

    def fitted(rows: Array, side: Side, target: Array, **params: object) -> ESZSL:
        at = np.r_[np.flatnonzero(rows), np.flatnonzero(target)]
        where = np.repeat([0, -1], [rows.sum(), target.sum()])
        return ESZSL(**params).fit(X[at], y[at], sample_domain=where, side=side)

    side = Side(attributes=known)
    lost = np.mean([fitted(rows, side.shuffled(k), new).score(X[new], y[new]) for k in range(5)])
    both = [fitted(rows, side, new, among="all", calibration=c) for c in (0.0, None)]
    together = [harmonic(m, (X[held], y[held]), (X[new], y[new])) for m in both]
    return {
        f"ESZSL, new classes (chance {by})": fitted(rows, side, new).score(X[new], y[new]),
        "shuffled attributes": float(lost),
        "old and new, harmonic mean": together[0],
        "the same, calibrated": together[1],
    }


def coloured(folder: Path, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    X, digit = digits(folder, "train")
    chosen = rng.permutation(len(X))[:6000]
    X, digit, colour = X[chosen].reshape(-1, 196), digit[chosen], rng.integers(0, 3, len(chosen))
    painted = np.zeros((len(X), 3, 196))
    painted[np.arange(len(X)), colour] = X
    known = {3 * a + b: np.r_[np.eye(10)[a], np.eye(3)[b]] for a in range(10) for b in range(3)}
    unseen = 3 * rng.permutation(10)[:6] + np.arange(6) % 3
    return zero_shot(rectified(painted.reshape(-1, 588), 600, rng), 3 * digit + colour, unseen, known, rng, ".167")


def animals(folder: Path, seed: int) -> dict[str, float]:
    with np.load(folder / "awa" / "awa1_bow.npz") as file:
        parts = {key: file[key] for key in file}
    bags = [parts[key] / 255 * scale for key, scale in (("surf", 0.25), ("rgsift", 0.25), ("phog", 0.5))]
    known = dict(enumerate(parts["binary"].astype(float)))
    unseen = np.flatnonzero(np.isin(parts["classes"], parts["unseen"]))
    return zero_shot(np.hstack(bags), parts["y"].astype(int), unseen, known, np.random.default_rng(seed), ".10")


def sections(folder: Path, seed: int) -> dict[str, float]:
    with np.load(folder / "wiki" / "wikipedia_pairs.npz") as file:
        parts = {key: file[key] for key in file}
    texts, images = parts["text_train"], np.r_[parts["image_train"], parts["image_test"]]
    names = np.arange(len(texts))
    side = Side(pairs=np.r_[names, names, np.full(len(parts["image_test"]), -1)])
    known = parts["y_train"], parts["y_test"]
    return {
        "CCA, no image label": taught_across(texts, images, side, *known),
        "shuffled pairs": taught_across(texts, images, side.shuffled(seed), *known),
    }


def negatives(folder: Path, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    X, y = digits(folder, "train")
    s, t = np.split(rng.permutation(len(X))[:4000], 2)
    X = np.pad(X, ((0, 0), (1, 1), (1, 1))).reshape(len(X), 256)
    source, target = X[s], np.clip(0.75 - 0.5 * X[t] + 0.05 * rng.normal(size=(len(t), 256)), 0, 1)
    rule, found = SVC(C=10).fit(source, y[s]), {}
    found["source's rule, negatives as they are"] = rule.score(target, y[t])
    for name, cycle in (("CycleGAN", 10.0), ("no cycle term", 0.0)):
        m = CycleGAN(net="conv", width=16, cycle=cycle, steps=1000, batch_size=32, random_state=seed)
        m.fit(np.r_[source, target], sample_domain=np.repeat([1, -1], 2000))
        here = np.ones(2000, int)
        there, back = m.transform(source, sample_domain=here), m.to_source(target)
        noisy = back + 0.05 * rng.normal(size=back.shape)
        found |= {
            f"{name}: negatives translated": rule.score(back, y[t]),
            f"{name}: taught on translated digits": SVC(C=10).fit(there, y[s]).score(target, y[t]),
            f"{name}: there and back, mean l1": np.abs(m.round_trip(target, "target") - target).mean(),
            # what is written in faint traces does not survive noise
            f"{name}: the same, noise between": np.abs(m.transform(noisy, sample_domain=here) - target).mean(),
        }
    return found


def ring(folder: Path, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    angle = np.pi / 4 * np.arange(8)
    centres = 2 * np.c_[np.cos(angle), np.sin(angle)]
    X = centres[rng.integers(0, 8, 2000)] + 0.1 * rng.normal(size=(2000, 2))
    found = {}
    for name, params in (("GAN, 2000 steps of 256", {"steps": 2000, "batch_size": 256}), ("GAN at its defaults", {})):
        made = GAN(random_state=seed, **params).fit(X).sample(2000)
        apart = np.linalg.norm(made[:, None] - centres, axis=2)
        near = apart.min(1) < 0.3
        shares = np.bincount(apart.argmin(1)[near], minlength=8) / len(made)
        found |= {f"{name}: clouds of 8": (shares >= 0.02).sum(), f"{name}: rows within 3 spreads": near.mean()}
    return found


STUDIES = {
    "captioned digits": captioned,
    "Wikipedia": sections,
    "coloured digits": coloured,
    "AwA": animals,
    "negatives": negatives,
    "ring": ring,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=STUDIES, default=list(STUDIES))
    args = parser.parse_args()
    for title, study in ((title, STUDIES[title]) for title in args.only):
        found = [study(args.folder, seed) for seed in range(args.seeds)]
        for name in found[0]:
            values = [scores[name] for scores in found]
            print(f"{title:18}{name:40}{np.mean(values):.3f} +- {np.std(values):.3f}", flush=True)


if __name__ == "__main__":
    main()
