"""Values that training never saw: scored all the same, and said in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.features import FEATURE_BY_NAME
from scoring.features.wording import in_words
from scoring.language import Text, by_language, decimal_mark, in_digits, say
from scoring.scorer.model import Encoding

Remark = dict[str, str | float | dict[str, str]]
MOST_DIGITS = 7  # decimals beyond the usual, to tell a value from the bound that it passes

UNSEEN = Text("warning.unseen", "{feature}: the model never saw “{value}”, which counts as unknown.")
OUTSIDE = Text("warning.outside", "{feature}: {value}, outside the values of training ({least} to {most}).")


def marks(
    encoding: Encoding, ranges: Mapping[str, tuple[float, float]], features: pl.DataFrame
) -> pl.DataFrame:
    """Return what a model never saw in applications, without words.

    Parameters
    ----------
    encoding : Encoding
        Knows the levels of each category.
    ranges : mapping of str to (float, float)
        Lowest and highest value of each number in training; a number without one is not judged.
    features : polars.DataFrame of shape (n_applications, n_features)

    Returns
    -------
    polars.DataFrame
        ``row`` (position), ``feature``, ``number`` (outside the range of training) or ``word`` (an unseen
        category), in the order of the rows, and of the features in each.
    """
    numbers = [name for name in encoding.names if name in ranges and name not in encoding.levels]
    # Least and greatest of each column first: most columns have nothing odd, and are then done with.
    ends = features.select(pl.col(numbers).min(), pl.col(numbers).max().name.suffix(" max"))
    least, greatest = np.array(ends.row(0), dtype=np.float64).reshape(2, -1)  # all missing: NaN
    low, high = np.array([ranges[name] for name in numbers]).reshape(-1, 2).T
    found: list[tuple[str, NDArray[np.intp]]] = []
    values: list[NDArray[np.float64]] = [np.empty(0)]
    for i in np.flatnonzero((least < low) | (greatest > high)):
        value = features[numbers[i]].to_numpy()  # a null becomes NaN, which lies nowhere
        rows = np.flatnonzero((value < low[i]) | (value > high[i]))
        found.append((numbers[i], rows))
        values.append(value[rows])
    number, unseen = pl.Series(np.concatenate(values)), pl.Series(dtype=pl.String)
    for name, levels in encoding.levels.items():
        word = features[name]
        if strange := set(word.unique().drop_nulls()) - set(levels):
            rows = word.is_in(list(strange)).fill_null(False).arg_true().to_numpy()
            found.append((name, rows))
            unseen.append(word.gather(rows))
    names = pl.Series([name for name, _ in found], dtype=pl.String)
    places = np.concatenate([np.empty(0, np.intp), *(rows for _, rows in found)])
    columns = {
        "row": pl.Series(places.astype(np.uint32)),
        "feature": names.gather(np.repeat(np.arange(names.len()), [len(rows) for _, rows in found])),
        "number": pl.concat([number, number.clear(unseen.len())]),
        "word": pl.concat([unseen.clear(number.len()), unseen]),
    }
    return pl.DataFrame(columns).sort("row", maintain_order=True)


def listed(ranges: Mapping[str, tuple[float, float]], marks: pl.DataFrame) -> dict[int, list[Remark]]:
    """Return the `marks` in words by row, with the keys of ``schema.InputWarning``."""
    found: dict[int, list[Remark]] = {}
    for row, feature, number, word in marks.iter_rows():
        found.setdefault(row, []).append(words(ranges, feature, number, word))
    return found


def words(
    ranges: Mapping[str, tuple[float, float]], feature: str, number: float | None, word: str | None
) -> Remark:
    """Return one of the `marks` with the keys of ``schema.InputWarning``."""
    return _unseen(feature, str(word)) if number is None else _outside(feature, number, *ranges[feature])


def _label(name: str, language: str) -> str:
    """Return a feature's label, or its name if it is not one of ``FEATURES``."""
    feature = FEATURE_BY_NAME.get(name)
    return say(feature.label, language) if feature else name


def _unseen(name: str, value: str) -> Remark:
    text = by_language(lambda language: say(UNSEEN, language, feature=_label(name, language), value=value))
    return {"feature": name, "problem": "unseen category", "value": value, "text": text}


def _outside(name: str, value: float, low: float, high: float) -> Remark:
    def sentence(language: str) -> str:
        now, least, most = _distinct(name, language, value, low, high)
        return say(OUTSIDE, language, feature=_label(name, language), value=now, least=least, most=most)

    return {"feature": name, "problem": "outside range", "value": value, "text": by_language(sentence)}


def _distinct(name: str, language: str, value: float, low: float, high: float) -> list[str]:
    """Write a value and its bounds as people do, or with more digits where that would hide the difference."""
    feature = FEATURE_BY_NAME.get(name)
    if feature:
        for more in range(MOST_DIGITS):
            texts = [in_words(feature, number, language, more) for number in (value, low, high)]
            now, *bounds = (_without_zeros(text, language) for text in texts)
            if now not in bounds:
                return texts
    return [in_digits(number, language) for number in (value, low, high)]


def _without_zeros(text: str, language: str) -> str:
    """Cut "69.0 years" to "69 years": beside "69 years" nobody sees a difference."""
    return re.sub(rf"{re.escape(decimal_mark(language))}0+(?!\d)", "", text)
