"""Groups of target rows against predicted classes: naive loops, an independent k-means, and what collapse does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.cluster import KMeans

from transfermap.measure.validators.clustering import class_ami, class_silhouette, hopkins, k_means


def clouds(n=300, C=4, d=3, apart=8.0, seed=0):
    """Rows around C corners, and their corners."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % C
    return apart * rng.normal(size=(C, d))[y] + rng.normal(size=(n, d)), y


def entropy_of(counts):
    p = counts[counts > 0] / counts.sum()
    return -(p * np.log(p)).sum()


def naive_ami(a, b):
    """From the definition; the expectation over all permutations by the hypergeometric law of each cell."""
    table = np.array([[((a == i) & (b == j)).sum() for j in np.unique(b)] for i in np.unique(a)])
    n, rows, cols = table.sum(), table.sum(axis=1), table.sum(axis=0)

    def part(k, r, c):
        return k / n * np.log(n * k / (r * c)) if k else 0.0

    found = sum(part(table[i, j], r, c) for i, r in enumerate(rows) for j, c in enumerate(cols))
    chance = sum(hypergeom.pmf(k, n, r, c) * part(k, r, c) for r in rows for c in cols for k in range(1, min(r, c) + 1))
    return (found - chance) / ((entropy_of(rows) + entropy_of(cols)) / 2 - chance)


def naive_silhouette(Z, group):
    total = []
    for i, z in enumerate(Z):
        gap = np.linalg.norm(Z - z, axis=1)
        own = (group == group[i]) & (np.arange(len(Z)) != i)
        if not own.any():
            total.append(0.0)
            continue
        a = gap[own].mean()
        b = min(gap[group == g].mean() for g in np.unique(group) if g != group[i])
        total.append((b - a) / max(a, b))
    return np.mean(total)


def noisy(y, share, C, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, rng.integers(0, C, len(y)), y)


def test_k_means_agrees_with_an_independent_one():
    Z, _ = clouds(apart=1.5)
    for seed in range(5):
        start = Z[np.random.default_rng(seed).choice(len(Z), 4, replace=False)]
        theirs = KMeans(4, init=start, n_init=1, max_iter=300, tol=0).fit(Z)
        np.testing.assert_array_equal(k_means(Z, start), theirs.labels_)


def test_an_empty_group_keeps_its_centre():
    Z = np.array([[0.0], [1.0], [2.0]])
    assert k_means(Z, np.array([[1.0], [99.0]])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_class_ami_and_silhouette_agree_with_their_definitions(share):
    Z, y = clouds(n=120, apart=1.5)
    predicted = noisy(y, share, 4)
    start = np.stack([Z[predicted == c].mean(axis=0) for c in range(4)])
    group = KMeans(4, init=start, n_init=1, tol=0).fit(Z).labels_
    assert class_ami(Z, predicted) == pytest.approx(naive_ami(predicted, group))
    assert class_silhouette(Z, predicted) == pytest.approx(naive_silhouette(Z, group))


def test_better_predictions_agree_better_with_the_groups_and_chance_scores_nothing():
    Z, y = clouds(n=600, apart=30.0)
    scores = [class_ami(Z, noisy(y, share, 4), 4) for share in (0, 0.2, 0.5, 0.8)]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    by_chance = [class_ami(Z, np.random.default_rng(s).integers(0, 4, len(Z)), 4) for s in range(20)]
    assert np.mean(by_chance) == pytest.approx(0, abs=0.01)


def test_a_collapsed_predictor_comes_last():
    Z, y = clouds()
    same = np.zeros(len(Z), dtype=int)
    for classes in (None, 4):
        assert class_ami(Z, same, classes) == 0 < class_ami(Z, noisy(y, 0.7, 4), classes)
        assert class_silhouette(Z, same, classes) == -1 < class_silhouette(Z, noisy(y, 0.7, 4), classes)


def test_merging_classes_wins_nothing_in_class_ami_but_can_win_class_silhouette():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    # two pairs of corners: neighbours are near, the pairs are far apart
    Z = np.array([[0.0, 0], [0, 4], [40, 0], [40, 4]])[y] + rng.normal(size=(400, 2))
    merged = y // 2
    assert class_ami(Z, merged, 4) < 0.8 < class_ami(Z, y, 4)
    assert class_ami(Z, merged) == pytest.approx(1)  # untold of the other classes, it cannot know
    assert class_silhouette(Z, merged) > class_silhouette(Z, y)


def test_a_class_never_predicted_begins_at_the_row_farthest_from_the_others():
    Z = np.array([0.0, 0.1, 10.0, 10.1, 18.0, 18.3])[:, None]
    predicted, groups = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert class_ami(Z, predicted, 3) == pytest.approx(naive_ami(predicted, groups))
    assert class_ami(Z, predicted) == pytest.approx(1)  # asked for two groups, it finds these two


@pytest.mark.parametrize("score", [class_ami, class_silhouette])
def test_names_of_classes_order_and_place_of_rows_do_not_matter(score):
    Z, y = clouds(apart=2.0)
    predicted = noisy(y, 0.3, 3)  # one class is rare
    expected = score(Z, predicted, 6)
    assert score(Z, np.array(["d", "a", "c", "b"])[predicted], 6) == pytest.approx(expected)
    turned = np.random.default_rng(1).permutation(len(Z))
    assert score(Z[turned], predicted[turned], 6) == pytest.approx(expected)
    assert score(Z + 1e8, predicted, 6) == pytest.approx(expected, abs=1e-6)


def test_equal_rows_and_single_rows_have_a_score():
    assert class_ami(np.ones((6, 2)), [0, 0, 1, 1, 2, 2]) == pytest.approx(0)
    assert class_silhouette(np.ones((6, 2)), [0, 0, 1, 1, 2, 2]) == -1
    assert class_silhouette([[0.0], [1.0]], ["a", "b"]) == -1
    assert class_ami([[0.0]], ["a"], 3) == 0


def test_silhouette_of_a_subsample_is_seeded_and_close():
    Z, y = clouds(n=800, apart=2.0)
    found = [class_silhouette(Z, y, most=400, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert found[0] == pytest.approx(class_silhouette(Z, y), abs=0.05)


def test_hopkins_agrees_with_a_loop_over_the_same_draws():
    Z, _ = clouds(n=100)
    rng = np.random.default_rng(3).spawn(1)[0]
    sample = rng.choice(100, 20, replace=False)
    even = rng.uniform(Z.min(axis=0), Z.max(axis=0), (20, 3))
    own = sum(min(np.linalg.norm(Z[i] - Z[j]) for j in range(100) if j != i) for i in sample)
    other = sum(min(np.linalg.norm(e - z) for z in Z) for e in even)
    assert hopkins(Z, share=0.2, seed=3) == pytest.approx(other / (own + other))


def test_hopkins_knows_even_rows_from_clusters():
    even = [hopkins(np.random.default_rng(s).random((2000, 2)), seed=s) for s in range(10)]
    assert np.mean(even) == pytest.approx(0.5, abs=0.03)
    assert hopkins(clouds(n=2000, d=2, apart=30.0)[0]) > 0.85
    assert hopkins(np.ones((50, 2))) == 0.5
    assert hopkins(np.random.default_rng(0).normal(size=(2000, 2))) > 0.6  # one cloud: the warning of the docstring


def test_bad_input_says_what_was_expected():
    Z, y = clouds(n=20)
    bad = Z.copy()
    bad[3, 1] = np.nan
    for score in (class_ami, class_silhouette):
        with pytest.raises(ValueError, match="Zt to be finite"):
            score(bad, y)
        with pytest.raises(ValueError, match="predicted to have shape"):
            score(Z, y[:-1])
        with pytest.raises(ValueError, match="at least the 4 that are predicted"):
            score(Z, y, 2)
    with pytest.raises(ValueError, match="Zt to be finite"):
        hopkins(bad)
    with pytest.raises(ValueError, match="at least 2 rows"):
        hopkins(Z[:1])
    with pytest.raises(ValueError, match="share"):
        hopkins(Z, share=0)
