"""A LightGBM text model as flat arrays, read exactly as LightGBM reads it.

A tree with m splits has 2 m + 1 *slots*: its splits in LightGBM's order (a parent before its children),
then its leaves. What a split asks is a *test*; a forest of 30,000 splits asks perhaps 18,000 different
ones, so tests are kept once. Tests stand together by *column*: one feature under one rule of reading it
(one of LightGBM's three for missing values, or "category"). Numeric ones are sorted by threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Block = dict[str, str]

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of LightGBM's decision_type; the next two are the missing rule
NEVER_MISSING, ZERO_IS_MISSING, NAN_IS_MISSING, CATEGORY = 0, 1, 2, 3  # how a column is read

COLUMN = np.dtype([(name, "u4") for name in ("feature", "rule", "first", "end", "words", "n_words")])
MOST_WORDS = 1 << 24  # 64 MiB: every test of a column has as many as its longest
SLOT = np.dtype([("test", "u4"), ("left", "u4"), ("right", "u4"), ("feature", "u4")])


class Unsupported(ValueError):
    """A model that only LightGBM itself can answer for; the text says why."""


class Damaged(Unsupported):
    """A text that is no model: LightGBM believes what it reads, and would end the process over it."""


@dataclass(frozen=True, eq=False)
class Forest:
    """One score per row: the sum of one leaf per tree, in the order of the trees.

    Attributes
    ----------
    n_features : int
        Columns of the matrix that it reads.
    columns : ndarray of COLUMN
        Feature, rule and range of tests (``first`` to ``end``) of each column, categories last; these have
        ``n_words`` words for each test, from ``words`` on, word by word.
    threshold : ndarray of float64
        Threshold of each numeric test: a value at or below it goes left.
    default_left : ndarray of bool
        Where a missing value goes, for each numeric test.
    words : ndarray of uint32
        Bits of the categories that go left, of the categorical tests, which are numbered after the numeric
        ones; all other values, missing ones included, go right.
    start : ndarray of int64, shape (n_trees + 1,)
        First slot of each tree.
    slots : ndarray of SLOT
        For a split its test, its feature and its children, counted from the tree's first slot.
    value, cover : ndarray of float64
        For a leaf its score; for every slot the training rows that reached it.
    """

    n_features: int
    columns: Array
    threshold: Array
    default_left: Array
    words: Array
    start: Array
    slots: Array
    value: Array
    cover: Array

    @property
    def n_tests(self) -> int:
        """Distinct tests, numeric and categorical."""
        return int(self.columns["end"][-1]) if len(self.columns) else 0

    @classmethod
    def of(cls, text: str) -> Forest:
        """Read LightGBM's text format (``Booster.model_to_string``).

        Nothing in the text is believed: whatever the kernels use as an index is checked to stay in bounds.

        Raises
        ------
        Unsupported
            If the model is not a plain sum of constant-leaf trees with one score per row.
        Damaged
            If it is no model.
        """
        try:
            return cls._of(*_blocks(text))
        except Unsupported:
            raise
        except KeyError as error:
            raise Damaged(f"it is damaged: it lacks {error}") from error
        except (ValueError, OverflowError, IndexError) as error:
            raise Damaged(f"it is damaged: {' '.join(str(error).split())[:200]}") from error

    @classmethod
    def _of(cls, header: Block, blocks: list[Block]) -> Forest:
        n_features = int(header["max_feature_idx"]) + 1
        if len(header["feature_names"].split(" ")) != n_features:
            raise Damaged("it names more or fewer features than it reads")
        if not blocks:
            raise Unsupported("it has no trees")
        # All trees first, those too that are left to LightGBM: it does not look where an index points.
        trees = [_tree(block, n_features) for block in blocks]
        splits = np.array([len(tree["feature"]) for tree in trees])
        joined = {key: np.concatenate([tree[key] for tree in trees]) for key in trees[0]}
        start = np.concatenate([[0], np.cumsum(2 * splits + 1)])
        inner = np.concatenate([np.arange(m) + s for m, s in zip(splits, start[:-1], strict=True)])
        inner = inner.astype(np.int64)
        tests, test = _tests(joined, blocks, splits)
        if header.get("num_tree_per_iteration") != "1":
            raise Unsupported("it gives more than one score per row")
        if "average_output" in header:
            raise Unsupported("it averages its trees instead of adding them")
        if any(block.get("is_linear", "0") != "0" for block in blocks):
            raise Unsupported("it has linear functions in its leaves")

        slots = np.zeros(start[-1], SLOT)
        slots["test"][inner], slots["feature"][inner] = test, joined["feature"]
        slots["left"][inner], slots["right"][inner] = joined["left"], joined["right"]
        return cls(
            n_features=n_features,
            **tests,
            start=start,
            slots=slots,
            value=joined["value"],
            cover=joined["cover"],
        )


def _blocks(text: str) -> tuple[Block, list[Block]]:
    """Return the ``key=value`` lines of the header, and of each tree."""
    header: Block = {}
    blocks: list[Block] = []
    current = header
    for line in text.splitlines():
        if line.startswith("end of trees"):
            break
        if line.startswith("Tree="):
            current = {}
            blocks.append(current)
        elif line:
            key, _, value = line.partition("=")
            if key in current:
                raise Damaged("it says something twice")  # and LightGBM might believe the other
            current[key] = value
    return header, blocks


def _numbers(block: Block, key: str, kind: type) -> Array:
    """Return the numbers of one line; a line that a tree does not have counts as empty."""
    return np.array(block.get(key, "").split(), dtype=kind)


def _tree(block: Block, n_features: int) -> dict[str, Array]:
    """Return one tree's arrays, children as slots."""
    m = int(block["num_leaves"]) - 1
    children = np.array([_numbers(block, side, np.int64) for side in ("left_child", "right_child")])
    children = children.reshape(2, -1)
    children = np.where(children >= 0, children, m + ~children)
    well_formed = (
        m >= 0
        and children.shape == (2, m)
        and np.array_equal(np.sort(children, axis=None), np.arange(1, 2 * m + 1))
        and bool(np.all((children > np.arange(m)) | (children >= m)))
    )
    if not well_formed:
        raise Damaged("it has a tree whose splits do not follow each other")
    tree = {
        "feature": _numbers(block, "split_feature", np.int64),
        "decision": _numbers(block, "decision_type", np.int64),
        "threshold": _numbers(block, "threshold", np.float64),
        "left": children[0],
        "right": children[1],
        "value": _numbers(block, "leaf_value", np.float64),
        "cover": _cover(block, m, children),
    }
    if (
        any(len(tree[key]) != m for key in ("feature", "decision", "threshold"))
        or len(tree["value"]) != m + 1
    ):
        raise Damaged("it has a tree that is not complete")
    if np.isnan(tree["threshold"]).any() or np.isnan(tree["value"]).any():
        raise Damaged("it has a threshold or a score that is no number")
    if np.any((tree["feature"] < 0) | (tree["feature"] >= n_features)):
        raise Damaged("it has a split on a feature that it does not have")
    is_categorical, rule = (tree["decision"] & CATEGORICAL) > 0, tree["decision"] >> 2
    if np.any((rule < NEVER_MISSING) | (rule > NAN_IS_MISSING)):
        raise Damaged("it has a split with an unknown rule for missing values")
    if np.any(is_categorical & ~np.isin(tree["threshold"], np.arange(m))):
        raise Damaged("it has a split on categories that it does not list")
    tree["value"] = np.concatenate([np.zeros(m), tree["value"]])
    return tree


def _cover(block: Block, m: int, children: Array) -> Array:
    """Return the training rows that reached each slot of a tree."""
    if m == 0:
        return np.ones(1)  # LightGBM keeps no count for a tree without splits
    cover = np.concatenate([_numbers(block, f"{kind}_count", np.float64) for kind in ("internal", "leaf")])
    if cover.shape != (2 * m + 1,) or not np.all((cover > 0) & np.isfinite(cover)):
        raise Unsupported("it has leaves that no training row reached")
    if not np.array_equal(cover[:m], cover[children].sum(axis=0)):
        raise Unsupported("its training rows do not add up along a tree")
    return cover


def _tests(joined: dict[str, Array], blocks: list[Block], splits: Array) -> tuple[dict[str, Array], Array]:
    """Return the forest's fields that describe its distinct tests, and each split's test."""
    decision = joined["decision"]
    categorical = (decision & CATEGORICAL) > 0
    test = np.empty(len(decision), np.int64)

    rule, default_left = (decision >> 2) & 3, (decision & DEFAULT_LEFT) > 0
    threshold = joined["threshold"] + 0.0  # -0.0 and 0.0 are one threshold
    keys = np.column_stack([joined["feature"], rule, threshold, default_left])[~categorical]
    distinct, test[~categorical] = np.unique(keys, axis=0, return_inverse=True)
    tree_of = np.repeat(np.arange(len(blocks)), splits)
    questions = []  # feature and bits of each categorical split
    for position in np.flatnonzero(categorical):
        block = blocks[tree_of[position]]
        low, high = _numbers(block, "cat_boundaries", np.int64)[int(joined["threshold"][position]) :][:2]
        words = _numbers(block, "cat_threshold", np.uint32)
        if not 0 <= low <= high <= len(words):
            raise Damaged("it has a split on categories that it does not list")
        bits = words[low:high].tobytes()
        questions.append((int(joined["feature"][position]), bits))
    known = sorted(set(questions))
    number = {question: len(distinct) + i for i, question in enumerate(known)}
    test[categorical] = [number[question] for question in questions]

    readings = np.concatenate(
        [distinct[:, :2], np.array([(feature, CATEGORY) for feature, _ in known], float).reshape(-1, 2)]
    )
    opens = np.ones(len(readings), bool)
    opens[1:] = (readings[1:] != readings[:-1]).any(axis=1)
    first = np.flatnonzero(opens)
    columns = np.zeros(len(first), COLUMN)
    columns["feature"], columns["rule"] = readings[first].T
    columns["first"], columns["end"] = first, [*first[1:], len(readings)][: len(first)]
    words = _words(columns, len(distinct), [bits for _, bits in known])
    tests = {
        "columns": columns,
        "threshold": distinct[:, 2].copy(),
        "default_left": distinct[:, 3] > 0,
        "words": words,
    }
    return tests, test


def _words(columns: Array, n_numeric: int, sets: list[bytes]) -> Array:
    """Return the bits of all categorical tests, column by column, and set where those of each stand."""
    parts, total = [np.zeros(0, np.uint32)], 0
    for at in np.flatnonzero(columns["rule"] == CATEGORY):
        members = sets[columns[at]["first"] - n_numeric : columns[at]["end"] - n_numeric]
        longest = max(len(bits) for bits in members)
        columns["words"][at], columns["n_words"][at] = total, longest // 4
        total += len(members) * longest // 4
        if total > MOST_WORDS:
            raise Unsupported("its splits list more categories than the engine keeps")
        filled = b"".join(bits.ljust(longest, b"\0") for bits in members)
        parts.append(np.frombuffer(filled, np.uint32).reshape(len(members), -1).T.ravel())
    return np.concatenate(parts)
