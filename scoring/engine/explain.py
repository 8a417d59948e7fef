"""Exact TreeSHAP values (path-dependent, Lundberg 2018), as an integral instead of a sum over subsets.

On the way to one leaf, let z be the share of training rows that a feature's splits let through, and o be 1
if the row passes them, else 0. The feature's Shapley value at this leaf is

    leaf score * (o - z) * integral over t in [0, 1] of the product of z' (1 - t) + o' t
                                                     over the path's other features,

because a coalition that each feature joins with probability t, averaged over t, has every size equally
often. The integrand is a polynomial in t, so Gauss-Legendre quadrature with n points is exact for up to
2 n distinct features on a path. One pass down carries the products, one pass up the sums of the leaves below.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .forest import CATEGORY, Array, Forest
from .kernel import kernel, reading
from .lanes import LANES, read, write

PATH = np.dtype([("earlier", "u4"), ("features", "u4"), ("share", "f8")])


class Explainer:
    """A forest laid out for contributions; ``base`` is the mean score of the rows that grew the trees."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self.base = _expected(forest)
        self.paths = np.zeros(len(forest.slots), PATH)
        trace(forest.start, forest.slots, forest.cover, self.paths)
        deepest = np.maximum.reduceat(self.paths["features"], forest.start[:-1]).astype(np.int64)
        self.passes = np.maximum(-(-deepest // (2 * LANES)), 1)
        # The rules of 1, 2, 3 ... passes one after another, so that of n passes starts at row n (n - 1) / 2.
        rules = [np.polynomial.legendre.leggauss(LANES * n) for n in range(1, int(self.passes.max()) + 1)]
        points, weights = np.concatenate(rules, axis=1)
        self.points = ((points + 1) / 2).reshape(-1, LANES)
        self.weights = (weights / 2).reshape(-1, LANES)

    def contributions(self, matrix: Array) -> Array:
        """Return each feature's share of each row's score; with ``base`` they add up to it."""
        f = self.forest
        tests = (f.columns, f.threshold, f.default_left, f.sets, f.words)
        rule = (self.passes, self.points, self.weights)
        out = np.zeros((len(matrix), f.n_features))
        explain(matrix, *tests, f.start, f.slots, f.value, self.paths, *rule, out)
        return out


def _expected(forest: Forest) -> float:
    """Return the mean score of the training rows."""
    rows = np.repeat(forest.cover[forest.start[:-1]], np.diff(forest.start))
    return float(np.add.reduceat(forest.cover / rows * forest.value, forest.start[:-1]).sum())


@kernel
def trace(start: Array, slots: Array, cover: Array, paths: Array) -> None:
    """Set, for every slot, what its path says of the feature that its parent splits on.

    ``earlier`` is the nearest slot above that a split on the same feature leads to (0: none), ``share`` the
    share of training rows that the feature's splits let through, ``features`` the distinct features so far.
    """
    for tree in range(len(start) - 1):
        root = start[tree]
        m = (start[tree + 1] - root) >> 1
        parent = np.zeros(2 * m + 1, np.int64)
        paths[root].share = 1.0
        for split in range(m):
            slot = slots[root + split]
            earlier = split
            while earlier > 0 and slots[root + parent[earlier]].feature != slot.feature:
                earlier = parent[earlier]
            for child in (np.int64(slot.left), np.int64(slot.right)):
                parent[child] = split
                path = paths[root + child]
                path.earlier = earlier
                path.features = paths[root + split].features + (1 if earlier == 0 else 0)
                path.share = paths[root + earlier].share * cover[root + child] / cover[root + split]


@kernel
def explain(
    matrix: Array,
    columns: Array,
    threshold: Array,
    default_left: Array,
    sets: Array,
    words: Array,
    start: Array,
    slots: Array,
    value: Array,
    paths: Array,
    passes: Array,
    points: Array,
    weights: Array,
    out: Array,
) -> None:
    """Set ``out`` to each row's contributions."""
    n_numeric = len(threshold)
    goes_left = np.zeros(n_numeric + len(sets), np.bool_)
    shares = np.zeros((out.shape[1], LANES))  # of the score, by feature and point
    largest = 1
    for tree in range(len(start) - 1):
        largest = max(largest, start[tree + 1] - start[tree])
    product = np.zeros((largest, LANES))
    inverse = np.ones((largest, LANES))
    passed = np.ones(largest)
    for row in range(len(matrix)):
        for column in columns:
            x = reading(matrix[row, column.feature], column.rule)
            for test in range(column.first, column.end):
                if column.rule == CATEGORY:
                    goes_left[test] = is_in(x, sets[test - n_numeric], words)
                else:
                    goes_left[test] = x <= threshold[test] or (x != x and default_left[test])
        shares[:] = 0.0
        for tree in range(len(start) - 1):
            root, end, n = start[tree], start[tree + 1], passes[tree]
            for rule in range(n * (n - 1) // 2, n * (n + 1) // 2):
                write(product, 0, read(weights, rule))
                go_down(root, end, slots, paths, goes_left, read(points, rule), product, inverse, passed)
                come_up(root, end, slots, value, paths, product, inverse, passed, shares)
        for feature in range(len(shares)):
            out[row, feature] = shares[feature].sum()


@kernel
def is_in(code: float, level_set: Any, words: Array) -> Any:
    """Return whether a category is in a set; -1 never is."""
    if code < 0:
        return False
    word = np.int64(level_set.first) + (np.int64(code) >> 5)
    return word < np.int64(level_set.end) and (np.int64(words[word]) >> (np.int64(code) & 31)) & 1 == 1


@kernel
def go_down(
    root: int,
    end: int,
    slots: Array,
    paths: Array,
    goes_left: Array,
    t: Any,
    product: Array,
    inverse: Array,
    passed: Array,
) -> None:
    """Set, for each slot, the path's product of factors, the inverse of its own factor, and its o."""
    stay = 1.0 - t
    inverse_stay = 1.0 / stay
    for split in range((end - root) >> 1):
        slot = slots[root + split]
        hot, cold = (slot.left, slot.right) if goes_left[slot.test] else (slot.right, slot.left)
        hot_share, cold_share = paths[root + hot].share, paths[root + cold].share
        earlier = paths[root + hot].earlier
        passed[hot], passed[cold] = passed[earlier], 0.0
        above = read(product, split) * read(inverse, earlier)  # of a feature met again, the old factor goes
        factor = hot_share * stay + passed[earlier] * t
        write(product, hot, above * factor)
        write(inverse, hot, 1.0 / factor)
        write(product, cold, above * (cold_share * stay))
        write(inverse, cold, inverse_stay * (1.0 / cold_share))


@kernel
def come_up(
    root: int,
    end: int,
    slots: Array,
    value: Array,
    paths: Array,
    product: Array,
    inverse: Array,
    passed: Array,
    shares: Array,
) -> None:
    """Sum the leaves below each slot, and give each split's feature its share."""
    m = (end - root) >> 1
    for leaf in range(m, end - root):
        write(product, leaf, read(product, leaf) * value[root + leaf])
    for split in range(m - 1, -1, -1):
        slot = slots[root + split]
        earlier = paths[root + slot.left].earlier
        left, right = read(product, slot.left), read(product, slot.right)
        write(product, split, left + right)
        share = read(shares, slot.feature)
        share = share + left * read(inverse, slot.left) * (passed[slot.left] - paths[root + slot.left].share)
        share = share + right * read(inverse, slot.right) * (
            passed[slot.right] - paths[root + slot.right].share
        )
        # What an earlier split on the feature claims for these leaves too; its weight is 0 if there is none.
        claimed = (left + right) * read(inverse, earlier) * (passed[earlier] - paths[root + earlier].share)
        write(shares, slot.feature, share - claimed)
