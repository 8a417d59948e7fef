"""How a forest is laid out for walking: as nodes that stand alone.

The walk in kernels.c is for fewer rows: sixteen trees abreast, without a branch. For many its sweep reads
the forest as it is.
"""

from __future__ import annotations

import numpy as np

from scoring.engine.forest import Array, Forest

ABREAST = 16  # trees in a group, as in kernels.c
NODE = np.dtype([("threshold", "f8"), ("value", "u4"), ("left", "u4")])


def nodes(forest: Forest) -> Array:
    """Return all slots as nodes: a tree's root, then the two children of each of its splits side by side.

    ``value`` counts among the numbers that the walk makes of a row: first that of the leaves, then two for
    each column (for tests that send a missing value right, and left), then one for each categorical test.
    """
    tree_starts = np.repeat(forest.start[:-1], np.diff(forest.start))
    inner = np.flatnonzero(forest.slots["right"])
    slots, root = forest.slots[inner], tree_starts[inner]
    place = tree_starts.copy()
    place[root + slots["left"]] = root + 1 + 2 * (inner - root)
    place[root + slots["right"]] = root + 2 + 2 * (inner - root)

    n_columns, n_numeric = len(forest.columns), len(forest.threshold)
    column = np.repeat(np.arange(n_columns), forest.columns["end"] - forest.columns["first"])
    numeric = 1 + 2 * column[:n_numeric] + forest.default_left
    value = np.concatenate([numeric, 1 + 2 * n_columns + np.arange(forest.n_tests - n_numeric)])
    threshold = np.concatenate([forest.threshold, np.zeros(forest.n_tests - n_numeric)])

    made = np.zeros(len(forest.slots), NODE)
    made["threshold"][place] = forest.value
    made["left"][place] = place
    at = place[inner]
    made["threshold"][at], made["value"][at] = threshold[slots["test"]], value[slots["test"]]
    made["left"][at] = place[root + slots["left"]]
    return made


def roots(forest: Forest) -> Array:
    """Return each tree's node, filled up with the first one's to whole groups."""
    found = np.zeros(-(-(len(forest.start) - 1) // ABREAST) * ABREAST, np.uint32)
    found[: len(forest.start) - 1] = forest.start[:-1]
    return found
