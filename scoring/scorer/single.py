"""One application scored without a table: for one row a table engine costs more than the work itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from scoring.scorer import Scorer
from scoring.scorer.model import Vector, probability
from scoring.scorer.remarks import Remark, words

Value = float | str | None


class Single:
    """Scores one application's features exactly as the scorer scores a table of them.

    Parameters
    ----------
    scorer : Scorer
    """

    def __init__(self, scorer: Scorer) -> None:
        encoding = scorer.model.encoding
        self.scorer = scorer
        self._names = encoding.names
        self._pick: Callable[[Mapping[str, Value]], tuple[Value, ...]] = (
            itemgetter(*self._names) if len(self._names) > 1 else self._only
        )
        self._codes = [
            (position, {level: float(code) for code, level in enumerate(encoding.levels[name])})
            for position, name in enumerate(self._names)
            if name in encoding.levels
        ]
        filled = [position for position, name in enumerate(self._names) if name in encoding.fill]
        self._filled = np.array(filled, dtype=np.intp)
        self._fills = np.array([encoding.fill[self._names[position]] for position in filled])
        no_range = (np.nan, np.nan)  # nothing lies outside
        ranges = [scorer.ranges.get(name, no_range) for name in self._names]
        self._low, self._high = np.array(ranges).reshape(-1, 2).T

    def read(self, features: Mapping[str, Value]) -> tuple[Vector, list[Remark], dict[str, Value]]:
        """Return the row that the function reads, the scorer's warnings, and the values that it was made of.

        Parameters
        ----------
        features : mapping of str to float, str or None
            Value of each feature, as `scoring.features.one` gives them.
        """
        values = self._pick(features)
        numbers: list[Any] = list(values)
        strange = []
        for position, codes in self._codes:
            word = values[position]
            if isinstance(word, str):
                numbers[position] = code = codes.get(word)
                if code is None:
                    strange.append(words(self.scorer.ranges, self._names[position], None, word))
        codes_row = np.array(numbers, dtype=np.float64)
        odd = np.flatnonzero((codes_row < self._low) | (codes_row > self._high)).tolist()
        outside = [words(self.scorer.ranges, self._names[i], float(codes_row[i]), None) for i in odd]
        gaps = np.isnan(codes_row[self._filled])
        codes_row[self._filled[gaps]] = self._fills[gaps]
        return codes_row, outside + strange, dict(zip(self._names, values, strict=True))

    def decide(self, row: Vector, odd: int, values: Mapping[str, Value]) -> dict[str, Any]:
        """Return what the scorer decides on a row, ``odd`` of whose ``values`` are unlike training."""
        scorer = self.scorer
        raw = scorer.model.function.raw(row.reshape(1, -1))
        found = scorer.say(probability(scorer.calibration.of(raw)))
        said: dict[str, Any] = {
            name: value[0].item() if isinstance(value, np.ndarray) else value for name, value in found.items()
        }
        reasons: list[str] = []
        certainty = scorer.certainty
        if certainty is not None:
            default = said["probability_of_default"]
            reasons = certainty.review(default, default >= scorer.threshold, odd, row, values)
        said["review"] = None if certainty is None else bool(reasons)
        said["review_reasons"] = reasons
        return said

    def _only(self, features: Mapping[str, Value]) -> tuple[Value]:
        """Return the one value of a model of one feature: itemgetter would give it without its tuple."""
        return (features[self._names[0]],)
