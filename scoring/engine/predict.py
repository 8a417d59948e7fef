"""Raw scores in two ways that agree with LightGBM to the last bit.

``walk`` follows a row down each tree, four trees abreast so that their waits for memory overlap: best for a
few rows. ``sweep`` takes 256 rows at once, one bit each. It first answers every distinct test of the forest
for all of them, then sends sets of rows down the trees: a split is one `and` for each side. Only at the
leaves do rows become single again, to add their score. The idea is that of QuickScorer (Lucchese et al.
2015), turned by 90 degrees: a word holds rows, not leaves, so trees may have any number of leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .forest import CATEGORY, Array, Forest
from .kernel import kernel, reading, trailing_zeros

SWEEP_FROM_ROWS = 20  # below it, walking is faster: `python -m benchmarks.engine`
WORDS = 4  # of 64 rows each: the answers to 20,000 tests fit a second-level cache
ROWS = 64 * WORDS
ONE = np.uint64(1)
LAST_CODE = 63  # in a walk: every category that no set knows, and none

NODE = np.dtype(
    [
        ("threshold", "f8"),
        ("out", "u8"),
        ("column", "u4"),
        ("right_if_missing", "u4"),
        ("left", "u4"),
        ("right", "u4"),
    ]
)


class Predictor:
    """A forest laid out for scoring."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self.nodes = _nodes(forest)

    def raw(self, matrix: Array) -> Array:
        """Return the sum of each row's leaves, added in the order of the trees."""
        f = self.forest
        scores = np.zeros(len(matrix))
        if self.nodes is not None and len(matrix) < SWEEP_FROM_ROWS:
            # For None, numba compiles a kernel of its own, which knows no categories.
            codes = np.zeros(len(f.columns), np.uint64) if len(f.sets) else None
            walk(matrix, f.columns, self.nodes, f.start, codes, scores)
        else:
            tests = (f.columns, f.threshold, f.default_left, f.sets, f.words)
            sweep(matrix, *tests, f.start, f.slots, f.value, scores)
        return scores


def _nodes(forest: Forest) -> Array | None:
    """Return all slots as nodes that stand alone, or None if a set has categories beyond 62.

    A leaf holds its score as threshold and leads to itself. A categorical split holds the categories that go
    right as bits (``out``), and a threshold that nothing exceeds; a numeric split has no such bits.
    """
    n_numeric, n_sets = len(forest.threshold), len(forest.sets)
    out = np.zeros(n_numeric + n_sets, np.uint64)
    for number, (first, end) in enumerate(forest.sets.tolist()):
        categories = int.from_bytes(forest.words[first:end].tobytes(), "little")
        if categories >> LAST_CODE:
            return None
        out[n_numeric + number] = ~np.uint64(categories)
    threshold = np.concatenate([forest.threshold, np.full(n_sets, np.inf)])
    right_if_missing = np.concatenate([~forest.default_left, np.zeros(n_sets, bool)])
    column = np.repeat(np.arange(len(forest.columns)), forest.columns["end"] - forest.columns["first"])

    nodes = np.zeros(len(forest.slots), NODE)
    nodes["threshold"] = forest.value
    nodes["left"] = nodes["right"] = np.arange(len(nodes))
    inner = np.flatnonzero(forest.slots["right"])
    test = forest.slots["test"][inner]
    nodes["threshold"][inner], nodes["out"][inner] = threshold[test], out[test]
    nodes["column"][inner], nodes["right_if_missing"][inner] = column[test], right_if_missing[test]
    root = np.repeat(forest.start[:-1], np.diff(forest.start))[inner]
    for side in ("left", "right"):
        nodes[side][inner] = root + forest.slots[side][inner]
    return nodes


@kernel
def walk(
    matrix: Array, columns: Array, nodes: Array, start: Array, codes: Array | None, scores: Array
) -> None:
    """Set ``scores``, row by row."""
    values = np.zeros(len(columns) + 1)  # a leaf reads the first, even in a forest without splits
    n = len(start) - 1
    for row in range(len(matrix)):
        for column in range(len(columns)):
            x = reading(matrix[row, columns[column].feature], columns[column].rule)
            values[column] = x
            if codes is not None and columns[column].rule == CATEGORY:
                codes[column] = np.uint64(x if 0 <= x < LAST_CODE else LAST_CODE)
        score = 0.0
        for tree in range(0, n - 3, 4):
            a, b = np.uint32(start[tree]), np.uint32(start[tree + 1])
            c, d = np.uint32(start[tree + 2]), np.uint32(start[tree + 3])
            moving = True
            while moving:
                e, f = step(nodes, a, values, codes), step(nodes, b, values, codes)
                g, h = step(nodes, c, values, codes), step(nodes, d, values, codes)
                moving = (a != e) | (b != f) | (c != g) | (d != h)
                a, b, c, d = e, f, g, h
            score += nodes[a].threshold
            score += nodes[b].threshold
            score += nodes[c].threshold
            score += nodes[d].threshold
        for tree in range(n - n % 4, n):
            a, e = np.uint32(start[tree]), step(nodes, np.uint32(start[tree]), values, codes)
            while e != a:
                a, e = e, step(nodes, e, values, codes)
            score += nodes[a].threshold
        scores[row] = score


@kernel
def step(nodes: Array, at: int, values: Array, codes: Array | None) -> Any:
    """Return where a row goes from a split; from a leaf, to itself."""
    node = nodes[at]
    x = values[node.column]
    right = (x > node.threshold) | ((x != x) & (node.right_if_missing == 1))
    if codes is not None:
        right |= (node.out >> codes[node.column]) & ONE == ONE
    return node.right if right else node.left


@kernel
def sweep(
    matrix: Array,
    columns: Array,
    threshold: Array,
    default_left: Array,
    sets: Array,
    words: Array,
    start: Array,
    slots: Array,
    value: Array,
    scores: Array,
) -> None:
    """Add to ``scores``, 256 rows at a time."""
    n_numeric = len(threshold)
    goes_left = np.zeros((n_numeric + len(sets), WORDS), np.uint64)
    largest = 1
    for tree in range(len(start) - 1):
        largest = max(largest, start[tree + 1] - start[tree])
    arrived = np.zeros((largest, WORDS), np.uint64)
    for first in range(0, len(matrix), ROWS):
        block = matrix[first : first + ROWS]
        for column in columns:
            if column.rule == CATEGORY:
                answer_sets(block, column, sets, words, n_numeric, goes_left)
            else:
                answer_thresholds(block, column, threshold, default_left, goes_left)
        descend(len(block), start, slots, value, goes_left, arrived, scores[first : first + ROWS])


@kernel
def answer_thresholds(
    block: Array, column: Any, threshold: Array, default_left: Array, goes_left: Array
) -> None:
    """Set, for each numeric test of a column, the bits of the rows that go left."""
    n, first, end = len(block), np.int64(column.first), np.int64(column.end)
    values = np.empty(ROWS)
    place = np.full(ROWS, first)
    for row in range(n):
        values[row] = reading(block[row, column.feature], column.rule)
    width = end - first
    while width > 1:  # bisection for all rows at once, without a branch
        half = width >> 1
        for row in range(n):
            place[row] += half if threshold[place[row] + half - 1] < values[row] else 0
        width -= half
    # By the first test that sends it left; after the tests stand "none does" and "missing".
    rows_of = np.zeros((end - first + 2, WORDS), np.uint64)
    for row in range(n):
        x = values[row]
        at = place[row] - first + (threshold[place[row]] < x)
        rows_of[end - first + 1 if x != x else at, row >> 6] |= ONE << np.uint64(row & 63)
    for word in range(WORDS):
        left, missing = np.uint64(0), rows_of[end - first + 1, word]
        for test in range(first, end):
            left |= rows_of[test - first, word]  # a row that one test sends left, all later ones do too
            goes_left[test, word] = left | missing if default_left[test] else left


@kernel
def answer_sets(
    block: Array, column: Any, sets: Array, words: Array, n_numeric: int, goes_left: Array
) -> None:
    """Set, for each categorical test of a column, the bits of the rows that go left."""
    first, end = np.int64(column.first), np.int64(column.end)
    longest = np.int64(0)
    for test in range(first, end):
        level_set = sets[test - n_numeric]
        longest = max(longest, np.int64(level_set.end) - np.int64(level_set.first))
    rows_of = np.zeros((32 * longest, WORDS), np.uint64)  # by category
    for row in range(len(block)):
        code = np.int64(reading(block[row, column.feature], column.rule))
        if 0 <= code < len(rows_of):
            rows_of[code, row >> 6] |= ONE << np.uint64(row & 63)
    for test in range(first, end):
        level_set = sets[test - n_numeric]
        goes_left[test] = 0
        for position in range(np.int64(level_set.end) - np.int64(level_set.first)):
            bits = np.uint64(words[np.int64(level_set.first) + position])
            while bits:
                code = 32 * position + trailing_zeros(bits)
                for word in range(WORDS):
                    goes_left[test, word] |= rows_of[code, word]
                bits &= bits - ONE


@kernel
def descend(
    n: int, start: Array, slots: Array, value: Array, goes_left: Array, arrived: Array, scores: Array
) -> None:
    """Send rows down every tree, as bits, and add the scores of the leaves that they arrive at."""
    for tree in range(len(start) - 1):
        root = start[tree]
        size = start[tree + 1] - root
        for word in range(WORDS):
            rows = min(max(n - 64 * word, 0), 64)
            arrived[0, word] = ~np.uint64(0) >> np.uint64(64 - rows) if rows else np.uint64(0)
        for split in range(size >> 1):
            slot = slots[root + split]
            for word in range(WORDS):
                here, left = arrived[split, word], goes_left[slot.test, word]
                arrived[slot.left, word] = here & left
                arrived[slot.right, word] = here & ~left
        for leaf in range(size >> 1, size):
            for word in range(WORDS):
                bits = arrived[leaf, word]
                while bits:
                    scores[64 * word + trailing_zeros(bits)] += value[root + leaf]
                    bits &= bits - ONE
