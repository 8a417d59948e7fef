"""How a forest is laid out for walking: nodes that stand alone, and how far a group of trees goes down.

The walk in kernels.c is for a few rows: eight trees abreast, without a branch. For many rows its sweep reads
the forest as it is.
"""

from __future__ import annotations

import numpy as np

from .forest import Array, Forest

ABREAST = 8  # trees in a group, as in kernels.c
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
    value = np.concatenate([numeric, 1 + 2 * n_columns + np.arange(len(forest.sets))])
    threshold = np.concatenate([forest.threshold, np.zeros(len(forest.sets))])

    made = np.zeros(len(forest.slots), NODE)
    made["threshold"][place] = forest.value
    made["left"][place] = place
    at = place[inner]
    made["threshold"][at], made["value"][at] = threshold[slots["test"]], value[slots["test"]]
    made["left"][at] = place[root + slots["left"]]
    return made


def groups(forest: Forest) -> tuple[Array, Array]:
    """Return each tree's node, filled up with the first to whole groups, and the depth of each group."""
    n_groups = -(-(len(forest.start) - 1) // ABREAST)
    roots = np.zeros(n_groups * ABREAST, np.uint32)
    roots[: len(forest.start) - 1] = forest.start[:-1]
    depth = np.zeros(n_groups * ABREAST, np.uint32)
    tree, root, at = np.arange(len(forest.start) - 1), forest.start[:-1], forest.start[:-1]
    level = 0
    while len(tree):  # all trees at once, level by level
        depth[tree] = level
        is_split = forest.slots["right"][at] > 0
        tree, root, slots = tree[is_split], root[is_split], forest.slots[at[is_split]]
        at = np.concatenate([root + slots["left"], root + slots["right"]])
        tree, root = np.tile(tree, 2), np.tile(root, 2)
        level += 1
    return roots, depth.reshape(-1, ABREAST).max(axis=1)
