"""Exact TreeSHAP values (path-dependent, Lundberg 2018), as an integral instead of a sum over subsets.

On the way to one leaf, let z be the share of training rows that a feature's splits let through, and o be 1
if the row passes them, else 0. The feature's Shapley value at this leaf is

    leaf score * (o - z) * integral over t in [0, 1] of the product of z' (1 - t) + o' t
                                                     over the path's other features,

because a coalition that each feature joins with probability t, averaged over t, has every size equally
often. The integrand is a polynomial in t, so Gauss-Legendre quadrature with n points is exact for up to
2 n distinct features on a path. The kernel goes down a tree once with the products, and up once with the
sums of the leaves below; here stand the points, their weights and the base.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np

from scoring.engine.forest import Array, Forest

LANES = 8  # points in a pass, as in kernels.c
PATH = np.dtype([("earlier", "u4"), ("features", "u4"), ("share", "f8")])


def passes(forest: Forest, paths: Array) -> Array:
    """Return how many passes of points the longest path of each tree asks for."""
    features = np.maximum.reduceat(paths["features"], forest.start[:-1]).astype(np.int64)
    return np.maximum(-(-features // (2 * LANES)), 1)


def rules(most: int) -> tuple[Array, Array]:
    """Return the points and weights of 1, 2 ... ``most`` passes, n passes from row n (n - 1) / 2 on."""
    made = [gauss_legendre(LANES * n) for n in range(1, most + 1)]
    points, weights = (np.concatenate([rule[i] for rule in made]).reshape(-1, LANES) for i in (0, 1))
    return points, weights


def gauss_legendre(n: int) -> tuple[Array, Array]:
    """Return the n points and weights on [0, 1], correctly rounded: the same bits on every machine.

    Newton's method on the Legendre polynomial, in 40 decimal digits.
    """
    points, weights = [], []
    with localcontext() as context:
        context.prec = 40
        for i in range(n):
            x = Decimal(float(np.cos(np.pi * (i + 0.75) / (n + 0.5))))
            step = Decimal(1)
            while abs(step) > Decimal("1e-35"):
                before, here = Decimal(1), x
                for k in range(2, n + 1):
                    before, here = here, ((2 * k - 1) * x * here - (k - 1) * before) / k
                slope = n * (before - x * here) / (1 - x * x)
                step = here / slope
                x -= step
            points.append(float((1 - x) / 2))
            weights.append(float(1 / ((1 - x * x) * slope * slope)))
    return np.array(points), np.array(weights)


def base(forest: Forest) -> float:
    """Return the mean score of the training rows, to which the contributions of a row are added."""
    rows = np.repeat(forest.cover[forest.start[:-1]], np.diff(forest.start))
    return math.fsum((forest.cover / rows * forest.value).tolist())
