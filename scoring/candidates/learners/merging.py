"""Several LightGBM boosters as one: its log-odds are the mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence

SCALED = ("leaf_value=", "internal_value=", "shrinkage=")
END = "end of trees\n"


def merge(texts: Sequence[str]) -> str:
    """Return one booster with all trees, each weighted by one over the number of boosters.

    Parameters
    ----------
    texts : sequence of str
        LightGBM's model texts, of boosters fitted on the same columns. All but the trees is the first's.

    Returns
    -------
    str
        A model text; that of a single booster as it is.

    Raises
    ------
    ValueError
        If the boosters do not read the same features, or one is no model text.
    """
    if len(texts) == 1:
        return texts[0]
    parts = [_parts(text) for text in texts]
    header = parts[0][0]
    if len({_line(other, "feature_names=") for other, _ in parts}) > 1:
        raise ValueError("the boosters read different features; only those of one fit can be merged.")
    trees = [_scaled(tree, len(texts)) for _, body in parts for tree in body.split("Tree=")[1:]]
    numbered = [f"Tree={number}\n{tree}" for number, tree in enumerate(trees)]
    sizes = "tree_sizes=" + " ".join(str(len(tree.encode())) for tree in numbered)
    header = header.replace(_line(header, "tree_sizes="), sizes)
    rest = texts[0].partition(END)[2]
    # LightGBM lists how often each feature splits: of the first booster that would be untrue here.
    rest = rest[rest.index("parameters:") :]
    return header + "".join(numbered) + END + "\n" + rest


def _parts(text: str) -> tuple[str, str]:
    """Split a model text into its header and its trees."""
    start, end = text.find("Tree="), text.find(END)
    if not 0 <= start < end:
        raise ValueError("a booster has no trees; it is no text that LightGBM wrote.")
    return text[:start], text[start:end]


def _line(header: str, key: str) -> str:
    """Return the header's line of a key."""
    return next((line for line in header.splitlines() if line.startswith(key)), key)


def _scaled(tree: str, by: int) -> str:
    """Return a tree without its number, everything that it adds divided."""
    lines = tree.split("\n")[1:]
    for i, line in enumerate(lines):
        if line.startswith(SCALED):
            key, _, values = line.partition("=")
            lines[i] = f"{key}=" + " ".join(repr(float(value) / by) for value in values.split())
    return "\n".join(lines)
