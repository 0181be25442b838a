"""ESZSL: the objective it minimises, ridge regression where attributes name the classes, what can be predicted."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from transfermap.data.toy import make_toy
from transfermap.methods.zero_shot.eszsl import ESZSL, ridge_maps
from transfermap.split import Side, Split

rng = np.random.default_rng(0)
S = rng.normal(size=(6, 3))  # four classes with rows, two without
KNOWN = {f"class {k}": row for k, row in enumerate(S)}
codes = np.arange(60) % 4
X = S[codes] @ rng.normal(size=(3, 5)) + 0.3 * rng.normal(size=(60, 5)) + 2
y = np.array([f"class {k}" for k in codes])
rows = Split.of(X, y, X[:10])._replace(side=Side(attributes=KNOWN))


def fitted(rows=rows, **params):
    X, y, d = rows.joined()
    return ESZSL(**params).fit(X, y, sample_domain=d, side=rows.side)


@pytest.mark.parametrize("center", [True, False])
def test_it_minimises_the_papers_objective(center):
    m = fitted(reg=0.3, reg_attributes=0.7, center=center)
    Z, Y, seen = X - center * X.mean(0), 2 * np.eye(4)[codes] - 1, S[:4]
    gamma, lam = 0.3 * (Z**2).sum() / 5, 0.7 * (seen**2).sum() / 3

    def objective(v):
        V = v.reshape(5, 3)
        fit = ((Z @ V @ seen.T - Y) ** 2).sum()
        return fit + gamma * ((V @ seen.T) ** 2).sum() + lam * ((Z @ V) ** 2).sum() + gamma * lam * (V**2).sum()

    found = minimize(objective, np.zeros(15), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(m.projection_.ravel(), found.x, atol=1e-5)
    np.testing.assert_allclose(m.predict_proba(X).sum(1), 1)


def test_attributes_that_name_the_classes_make_it_ridge_regression_one_against_the_rest():
    names = Side(attributes={f"class {k}": np.eye(4)[k] for k in range(4)})
    m = fitted(rows._replace(side=names), reg=0.2, reg_attributes=1e-12)
    alpha = 0.2 * ((X - X.mean(0)) ** 2).sum() / 5
    Y = 2 * np.eye(4)[codes] - 1
    ridge = Ridge(alpha=alpha).fit(X, Y)
    np.testing.assert_allclose(m.decision_function(X), ridge.predict(X) - Y.mean(0), atol=1e-8)


def test_the_ridge_is_the_one_that_tells_held_out_classes_apart_best():
    toy = make_toy("unseen_classes", 120, 3)
    X = toy.Xs + np.random.default_rng(0).normal(size=toy.Xs.shape) * 2
    known, old = toy.attributes, sorted(set(toy.ys))
    right = []
    for reg in (100.0, 10.0, 1.0, 0.1, 0.01):
        folds = []
        for fold in (old[::3], old[1::3], old[2::3]):
            rest = Side(attributes={c: known[c] for c in old})
            out = np.isin(toy.ys, fold)
            Z = X - X.mean(0)
            m = fitted(Split.of(Z[~out], toy.ys[~out], Z[out])._replace(side=rest), reg=reg, center=False)
            folds.append(m.score(Z[out], toy.ys[out]))
        right.append(np.mean(folds))
    m = fitted(Split.of(X, toy.ys, toy.Xt)._replace(side=Side(attributes=known)))
    assert m.reg_ == (100.0, 10.0, 1.0, 0.1, 0.01)[int(np.argmax(right))]
    assert fitted().reg_ == 1.0  # four classes are too few to hold some out


def test_calibration_is_found_with_the_ridge_by_the_harmonic_mean_on_classes_and_rows_held_out():
    toy = make_toy("unseen_classes", 120, 3)
    X = toy.Xs + np.random.default_rng(0).normal(size=toy.Xs.shape)
    known, old = toy.attributes, sorted(set(toy.ys))
    Z, found = X - X.mean(0), {}
    aside = np.zeros(len(Z), bool)
    for c in old:
        of = np.flatnonzero(toy.ys == c)
        aside[of[np.argsort(np.square(Z[of]).sum(1))][4::5]] = True
    for reg in (100.0, 10.0, 1.0, 0.1, 0.01):
        for step in range(81):
            means = []
            for fold in (old[::3], old[1::3], old[2::3]):
                out = np.isin(toy.ys, fold)
                kept = ~out & ~aside
                side = Side(attributes={c: known[c] for c in old})
                rows = Split.of(Z[kept], toy.ys[kept], Z[out])._replace(side=side)
                if step == 0:
                    found[reg, tuple(fold)] = fitted(rows, reg=reg, center=False, among="all")
                m = found[reg, tuple(fold)]
                m.calibration_ = step / 20
                a, b = m.score(Z[aside & ~out], toy.ys[aside & ~out]), m.score(Z[out], toy.ys[out])
                means.append(2 * a * b / max(a + b, 1e-12))
            found[reg, step] = np.mean(means)
    whole = Split.of(X, toy.ys, toy.Xt)._replace(side=Side(attributes=known))
    m = fitted(whole, among="all", calibration=None)
    scores = {key: value for key, value in found.items() if isinstance(key[1], int)}
    assert scores[m.reg_, round(20 * m.calibration_)] == pytest.approx(max(scores.values()), abs=1e-9)


def test_the_calibration_does_not_depend_on_the_order_of_rows_and_reads_no_target_row():
    toy = make_toy("unseen_classes", 120, 3)
    side, order = Side(attributes=toy.attributes), rng.permutation(120)
    first = fitted(Split.of(toy.Xs, toy.ys, toy.Xt)._replace(side=side), among="all", calibration=None)
    for other in (
        Split.of(toy.Xs[order], toy.ys[order], toy.Xt)._replace(side=side),
        Split.of(toy.Xs, toy.ys, -3 * toy.Xt)._replace(side=side),
    ):
        m = fitted(other, among="all", calibration=None)
        assert (m.reg_, m.calibration_) == (first.reg_, first.calibration_) and m.calibration_ > 0
    assert fitted(calibration=None, among="all").calibration_ == 0  # four classes are too few
    assert fitted(calibration=None).calibration_ == 0  # nothing to calibrate among new classes


def test_one_product_serves_all_ridges_and_what_is_left_of_it_a_fold():
    Z, T = rng.normal(size=(30, 6)), rng.normal(size=(30, 2))
    for kept in (Z, Z[:20], Z[:4]):
        left = kept.T @ kept
        for reg, with_gram, without in zip(
            (0.1, 2.0),
            ridge_maps(kept, T[: len(kept)], (0.1, 2.0), left),
            ridge_maps(kept, T[: len(kept)], (0.1, 2.0)),
            strict=True,
        ):
            plain = np.linalg.solve(left + reg * np.trace(left) / 6 * np.eye(6), kept.T @ T[: len(kept)])
            np.testing.assert_allclose(with_gram, plain, atol=1e-10)
            np.testing.assert_allclose(without, plain, atol=1e-10)


def test_wide_rows_go_through_the_other_gram_matrix():
    wide = rng.normal(size=(60, 200))
    m = fitted(rows._replace(Xs=wide, Xt=wide[:5], target_domains=np.full(5, -1)), reg=0.5)
    Z, seen = wide - wide.mean(0), S[:4]
    gamma, lam = 0.5 * (Z**2).sum() / 200, 0.1 * (seen**2).sum() / 3
    left = np.linalg.inv(Z.T @ Z + gamma * np.eye(200))
    V = left @ Z.T @ (2 * np.eye(4)[codes] - 1) @ seen @ np.linalg.inv(seen.T @ seen + lam * np.eye(3))
    np.testing.assert_allclose(m.projection_, V, atol=1e-10)


def test_which_classes_can_be_predicted():
    everyone = sorted(KNOWN)
    assert fitted().classes_.tolist() == fitted(among="unseen").classes_.tolist() == everyone[4:]
    assert fitted(among="seen").classes_.tolist() == everyone[:4]
    assert fitted(among="all").classes_.tolist() == everyone
    old = rows._replace(side=Side(attributes={name: KNOWN[name] for name in everyone[:4]}))
    assert fitted(old).classes_.tolist() == everyone[:4]
    with pytest.raises(ValueError, match="every class that side.attributes describes has source rows"):
        fitted(old, among="unseen")
    lost = rows._replace(side=Side(attributes={name: KNOWN[name] for name in everyone[1:]}))
    with pytest.raises(ValueError, match=r"classes without attributes: \['class 0'\]"):
        fitted(lost)


def test_the_order_of_classes_does_not_matter_and_numbers_do_as_well_as_names():
    back = Side(attributes=dict(reversed(KNOWN.items())))
    np.testing.assert_allclose(fitted().decision_function(X), fitted(rows._replace(side=back)).decision_function(X))
    for kind in (int, float):
        numbers = rows._replace(ys=codes.astype(kind), side=Side(attributes=dict(enumerate(S))))
        m = fitted(numbers, among="all")
        assert m.classes_.dtype == kind and m.classes_.tolist() == [*range(6)]
        np.testing.assert_allclose(m.decision_function(X), fitted(among="all").decision_function(X))


def test_calibration_gives_new_classes_their_turn_until_nothing_else_has_one():
    toy = make_toy("unseen_classes", 300, 0)
    rows = Split.of(toy.Xs, toy.ys, toy.Xt)._replace(side=Side(attributes=toy.attributes))

    X = np.r_[toy.Xs, toy.Xt]
    taken = [np.isin(fitted(rows, among="all", calibration=c).predict(X), toy.yt).mean() for c in (0, 0.3, 1, 1e6)]
    assert taken == sorted(taken) and 0.3 < taken[0] < 0.7 and taken[-1] == 1
