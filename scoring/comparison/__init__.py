"""Where an application stands among others: distributions in the reference of its model, and nobody shown.

The reference is grouped by fixed partitions only, never by what somebody asks: by the levels of one fact, or
by the leaves of one tree of neighbours. Each group has at least 50 granted and 50 refused applications, the
smaller ones being joined; so whatever two answers are taken from each other, they differ by such groups, or
by groups of two partitions that cannot be cut with each other. Bins are the reference's own tenths, and
counts are rounded to tens: one person more or less is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring import features, tables
from scoring.comparison.bins import FactBins, counted, share_up_to
from scoring.comparison.partition import FEWEST, Partition, by_levels, neighbours
from scoring.decision import GRANTED
from scoring.features.wording import in_words
from scoring.judge import Judge
from scoring.language import Text, by_language, percent, say, small, texts
from scoring.schema import ApplicationRequest, Placement, Request
from scoring.scorer import REFERENCE, Scorer
from scoring.scorer.single import Value

BINS, SIDES = 10, 5  # of one fact; of each of two
BINNED = 64  # facts whose bins are kept; each takes two bytes an application
SCORE = "score"
ALL, NEIGHBOURS = "all", "neighbours"
FILTERS = (
    "NAME_CONTRACT_TYPE",
    "NAME_INCOME_TYPE",
    "NAME_EDUCATION_TYPE",
    "OCCUPATION_TYPE",
    "NAME_HOUSING_TYPE",
    "REGION_RATING_CLIENT",
)
AMONG = (ALL, NEIGHBOURS, *FILTERS)
"""What an application may be compared among; nothing protected."""
LIKE = ("AMT_CREDIT", "ext_mean", "AMT_INCOME_TOTAL", "employed_years", "bureau_count")
"""Facts that make neighbours, the first ones most."""

WORDS = texts(
    "comparison",
    {
        "place": "{fact}: {value}; {granted} of the granted and {refused} of the refused applications in "
        "this group have no higher value.",
        "level": "{fact}: {value}; {granted} of the granted and {refused} of the refused applications in "
        "this group have the same.",
        "missing": "{fact} is not known here; the bins show the others.",
        "withheld": "This group has too few granted or refused applications to be shown without showing "
        "persons.",
        "against": "{one} against {other}: cells of fewer than 50 applications are left empty.",
        "nobody": "Nobody in the reference is in this group.",
        "unread": "The reference does not hold {fact}, as the model does not read it.",
    },
)
SCORE_LABEL = Text("comparison.score", "Score in points")


class Peers:
    """Compares applications with the reference of a scorer; threads may share it.

    Parameters
    ----------
    scorer : Scorer
    folder : Path
        Where its reference lies; columns are read when they are asked for.
    """

    def __init__(self, scorer: Scorer, folder: Path) -> None:
        self.scorer = scorer
        self._file = folder / REFERENCE
        self._judge = Judge(scorer)
        self._known = set(scorer.feature_names)
        # Of no method of this: it would hold itself, and stay when another model serves.
        self._binned = lru_cache(maxsize=BINNED)(partial(_bin, self._file, scorer))
        self._granted = (_column(self._file, "decision") == GRANTED).to_numpy()
        self._partitions = {ALL: Partition(np.zeros(len(self._granted), np.int16), lambda _: 0)}
        likes = [name for name in LIKE if name in self._known]
        self._partitions[NEIGHBOURS] = neighbours(pl.read_parquet(self._file, columns=likes), self._granted)
        for name in FILTERS:
            if name in self._known:
                self._partitions[name] = by_levels(name, _column(self._file, name), self._granted)

    def compare(
        self,
        application: Request | ApplicationRequest,
        fact: str,
        among: str = ALL,
        beside: str | None = None,
    ) -> Placement:
        """Return the distribution of a fact in a group of the reference, and where an application stands.

        Parameters
        ----------
        application : Request or ApplicationRequest
        fact, beside : str
            ``score``, or a feature that `is_compared`; two are set against each other.
        among : str
            One of `AMONG`: the application's own group there.
        """
        read = self._judge.plain(*tables.parts(application, features.READS))
        values: dict[str, Value] = {**read.inputs, SCORE: float(read.said["score"])}
        facts = [fact] if beside is None else [fact, beside]
        shown: dict[str, Any] = {}
        if lacking := [name for name in (*facts, among) if not self._is_there(name)]:
            text = _worded("unread", lacking[0])
        elif (group := self._partitions[among].of(values)) is None:
            text = _worded("nobody")
        else:
            inside = self._partitions[among].groups == group
            binned = [self._binned(name, BINS if beside is None else SIDES) for name in facts]
            axes, places = [axis for axis, _ in binned], [found for _, found in binned]
            sides = {"granted": inside & self._granted, "refused": inside & ~self._granted}
            if any(np.count_nonzero(side) < FEWEST for side in sides.values()):
                text = _worded("withheld")
            else:
                own = [axis.place(values[name]) for axis, name in zip(axes, facts, strict=True)]
                counts = {
                    name: counted([place[side] for place in places], axes) for name, side in sides.items()
                }
                shown = {"axes": [axis.bins() for axis in axes], "own": own, **counts}
                shown["values"] = [values[name] for name in facts]
                text = (
                    _placed(fact, values[fact], axes[0], own[0], counts)
                    if beside is None
                    else _against(facts)
                )
        return Placement(SK_ID_CURR=application.SK_ID_CURR, facts=facts, among=among, text=text, **shown)

    def _is_there(self, name: str) -> bool:
        return name in (SCORE, ALL, NEIGHBOURS) or name in self._known


def _column(file: Path, name: str) -> pl.Series:
    return pl.read_parquet(file, columns=[name])[name]


def _bin(file: Path, scorer: Scorer, fact: str, bins: int) -> tuple[FactBins, NDArray[np.int16]]:
    """Return the bins of a fact, and in which of them each application of the reference lies."""
    values = _values(file, scorer, fact)
    axis = FactBins.of(values, bins)
    return axis, axis.places(values).astype(np.int16)


def _values(file: Path, scorer: Scorer, name: str) -> pl.Series:
    if name != SCORE:
        return _column(file, name)
    rates = _column(file, "probability_of_default").to_numpy()
    return pl.Series(scorer.points.of(rates), dtype=pl.Float64)


def is_compared(fact: str) -> bool:
    """Say whether a feature is compared: a person understands it, and it reads no protected attribute."""
    feature = features.FEATURE_BY_NAME.get(fact)
    return fact == SCORE or (feature is not None and feature.is_plain and not features.protected_by(feature))


def _placed(
    fact: str, value: Value, axis: FactBins, own: int | None, counts: Mapping[str, list[int]]
) -> dict[str, str]:
    """Say in words where a value stands."""
    if own is None:
        return _worded("missing", fact)
    shares = {side: share_up_to(found, own, axis.is_ordered) for side, found in counts.items()}
    kind, feature = "place" if axis.is_ordered else "level", features.FEATURE_BY_NAME.get(fact)

    def sentence(language: str) -> str:
        said = {side: percent(share, language) for side, share in shares.items()}
        written = in_words(feature, value, language) if feature else f"{value:.0f}"
        return say(WORDS[kind], language, fact=_label(fact, language), value=written, **said)

    return by_language(sentence)


def _against(facts: Sequence[str]) -> dict[str, str]:
    return by_language(
        lambda language: say(
            WORDS["against"],
            language,
            one=_label(facts[0], language),
            other=small(_label(facts[1], language), language),
        )
    )


def _worded(name: str, fact: str = "") -> dict[str, str]:
    """Say why nothing, or no place, is shown."""
    if not fact:
        return by_language(lambda language: say(WORDS[name], language))
    return by_language(lambda language: say(WORDS[name], language, fact=_label(fact, language)))


def _label(fact: str, language: str) -> str:
    feature = features.FEATURE_BY_NAME.get(fact)
    return say(SCORE_LABEL, language) if feature is None else say(feature.label, language)
