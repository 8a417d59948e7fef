"""The scorer: everything learned, from features to a decision, as one folder without pickle.

A folder holds ``scorer.json`` (readable), ``booster.txt`` if the model is boosted, ``reference.parquet``
(out-of-fold rows in the inference log's columns) and ``examples.json`` (golden requests). MLflow, the
BentoML store and any batch engine share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.decision import Costs, Points, decide
from scoring.scorer import calibration as calibrated
from scoring.scorer import certainty as certain
from scoring.scorer import remarks
from scoring.scorer.calibration import Affine, Calibration
from scoring.scorer.certainty import Certainty
from scoring.scorer.folder import (
    BOOSTER,
    DESCRIPTION,
    EXAMPLES,
    FORMAT,
    REFERENCE,
    ScorerError,
    described_sha256,
    in_one_line,
    named_files,
    read_description,
    read_examples,
    read_reference,
    write_folder,
)
from scoring.scorer.model import (
    Boosted,
    Encoding,
    Linear,
    Matrix,
    Model,
    NoEngine,
    Vector,
    probability,
)
from scoring.scorer.scorecard import Scorecard

__all__ = [
    "BOOSTER",
    "DESCRIPTION",
    "EXAMPLES",
    "FAMILIES",
    "REFERENCE",
    "Scorer",
    "ScorerError",
    "described_sha256",
    "read_examples",
    "read_reference",
]

FAMILIES: dict[type, str] = {Boosted: "lightgbm", Scorecard: "scorecard", Linear: "linear"}
_TYPES = {"probability_low": pl.Float64, "probability_high": pl.Float64}  # where all are null


@dataclass(frozen=True, eq=False)
class Scorer:
    """A fitted model with its calibration, threshold, scale and everything that is known about it.

    Attributes
    ----------
    model : Model
        Encoding and function.
    calibration : Calibration
        From the function's log-odds to calibrated ones; contributions stay additive through it.
    threshold : float
        Applications whose probability of default is at or above it are refused.
    costs, points : Costs, Points
        What the threshold was chosen for; the scale of the score.
    policy : tuple of str
        Attributes kept out of the model, keys of ``decision.PROTECTED``.
    ranges : mapping of str to (float, float)
        Lowest and highest value of each number that training saw; absent if it saw none.
    granted_contributions : mapping of str to float
        Mean contribution of each feature among granted applicants: what reasons are measured from.
    granted_values : mapping of str to float or str
        Usual value of each feature among granted applicants: median, or most frequent level.
    importance : mapping of str to float
        Mean absolute contribution (log-odds) over a sample of all applicants.
    metrics : mapping of str to mapping
        Out-of-fold metrics, each with ``value`` and, where there is a 95 % interval, ``low`` and ``high``.
    lineage : mapping
        Data hash, git revision, library versions, time, candidate, seed.
    certainty : Certainty, optional
        How sure the probabilities are, and what goes to review. Scorers of earlier versions know nothing of
        it: they give no interval, and do not say whether a person should look.
    """

    model: Model
    calibration: Calibration
    threshold: float
    costs: Costs
    points: Points
    policy: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]]
    granted_contributions: Mapping[str, float] = field(default_factory=dict)
    granted_values: Mapping[str, float | str] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    certainty: Certainty | None = None

    @property
    def feature_names(self) -> list[str]:
        """Features that the model reads, in order."""
        return list(self.model.encoding.names)

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """Levels of each category feature that training saw, from low to high risk."""
        return dict(self.model.encoding.levels)

    @property
    def family(self) -> str:
        """``"lightgbm"``, ``"scorecard"`` or ``"linear"``."""
        return FAMILIES[type(self.model.function)]

    @property
    def engine(self) -> str:
        """Who answers: ``"native"``, ``"lightgbm"`` or, for a linear function, ``"numpy"``."""
        return self.model.function.engine if isinstance(self.model.function, Boosted) else "numpy"

    @property
    def without_native(self) -> str:
        """Why LightGBM itself answers; empty if it does not."""
        return self.model.function.without_native if isinstance(self.model.function, Boosted) else ""

    def encode(self, features: pl.DataFrame) -> Matrix:
        """Return the float64 matrix (n_applications, n_features) that the model reads; missing is NaN."""
        return self.model.encoding.encode(features)

    def raw_score(self, features: pl.DataFrame) -> Vector:
        """Return the calibrated log-odds of default, shape (n_applications,)."""
        return self.calibration.of(self.model.raw(features))

    def probability(self, features: pl.DataFrame) -> Vector:
        """Return the calibrated probability of default, shape (n_applications,)."""
        return probability(self.raw_score(features))

    def contributions(self, features: pl.DataFrame) -> tuple[Matrix, float]:
        """Return exact contributions in log-odds, shape (n_applications, n_features), and their base.

        Each row plus the base sums to ``raw_score``; a positive contribution raises the risk. The function's
        own contributions pass through the calibration as `scoring.scorer.calibration` says.
        """
        return self.apportion(self.encode(features))

    def apportion(self, matrix: Matrix) -> tuple[Matrix, float]:
        """Return the contributions to the rows of a matrix that the model reads: see `contributions`."""
        return self.calibration.apportion(*self.model.function.contributions(matrix))

    def decide(self, features: pl.DataFrame) -> pl.DataFrame:
        """Return all that `say` gives, ``review`` and ``review_reasons``, one row per application."""
        return self.decide_marked(features, remarks.marks(self.model.encoding, self.ranges, features))

    def decide_marked(self, features: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
        """Return what `decide` does, of applications whose `remarks.marks` are known."""
        matrix = self.encode(features)
        default = probability(self.calibration.of(self.model.function.raw(matrix)))
        said = {n: np.broadcast_to(np.asarray(value), len(default)) for n, value in self.say(default).items()}
        columns = [
            pl.Series(name, column.tolist() if column.dtype.kind in "UO" else column, _TYPES.get(name))
            for name, column in said.items()
        ]
        if self.certainty is None:
            found = pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, len(default))
            is_asked = pl.Series("review", [None] * len(default), pl.Boolean)
        else:
            odd = np.bincount(marks["row"].to_numpy(), minlength=len(default))
            bits = self.certainty.reviews(
                default, default >= self.threshold, odd, matrix, lambda name: features[name].to_numpy()
            )
            found, is_asked = certain.listed(bits), pl.Series("review", bits > 0)
        return pl.DataFrame([*columns, is_asked, found.alias("review_reasons")])

    def say(self, default: Vector) -> dict[str, NDArray[Any] | float | None]:
        """Return fields of `schema.Decision`: one value for each probability of default, or one for all."""
        low, high = (None, None) if self.certainty is None else self.certainty.interval(default)
        return {
            "probability_of_default": default,
            "probability_low": low,
            "probability_high": high,
            "score": self.points.of(default),
            "threshold": self.threshold,
            "decision": decide(default, self.threshold),
        }

    def warnings(self, features: pl.DataFrame) -> list[list[remarks.Remark]]:
        """Return, per application, the values that training never saw; they are scored all the same.

        Each is a dict with the keys of ``schema.InputWarning``: feature, problem (``"unseen category"`` or
        ``"outside range"``), value, text (by language).
        """
        marks = remarks.marks(self.model.encoding, self.ranges, features)
        listed = remarks.listed(self.ranges, marks)
        return [listed.get(row, []) for row in range(features.height)]

    def check_features(self, declared: Sequence[str]) -> None:
        """Check that the code computes all that the model reads, in the model's order.

        The model may read fewer features than there are: training may have left some out (``--select``), and
        a later version of the code may know more.

        Parameters
        ----------
        declared : sequence of str
            ``features.names(scorer.policy)``.

        Raises
        ------
        ScorerError
            At the first difference: LightGBM itself would take permuted columns without a word.
        """
        ours, known = self.feature_names, set(declared)
        if extra := [name for name in ours if name not in known]:
            what = f"the model reads {extra[0]!r}, which the code does not compute under its policy"
        elif ours != (ordered := [name for name in declared if name in set(ours)]):
            first = next(name for name, other in zip(ours, ordered, strict=True) if name != other)
            what = f"the features stand in another order, from {first!r} on"
        else:
            return
        raise ScorerError(
            f"{what}; train again with this version of the code, or run the version of the model."
        )

    def save(self, folder: Path, reference: pl.DataFrame, examples: Sequence[Mapping[str, Any]]) -> None:
        """Write the scorer as a folder, all of it or nothing.

        Parameters
        ----------
        folder : Path
            Must not exist.
        reference : polars.DataFrame
            Out-of-fold rows in the inference log's columns.
        examples : sequence of mapping
            ``request``, ``probability_of_default`` and ``decision`` of each golden application.

        Raises
        ------
        ScorerError
            If the folder exists.
        """
        booster = self.model.function.text if isinstance(self.model.function, Boosted) else None
        write_folder(folder, _describe(self), reference, examples, booster)

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Read a scorer, and check that it is whole.

        Raises
        ------
        ScorerError
            If a file is missing, changed or one too many, the format is another one, or anything in it is not
            as `scoring.scorer.description` says.
        """
        folder = Path(folder)
        said = read_description(folder)
        try:
            return _rebuild(said, folder)
        except ScorerError:
            raise
        except MemoryError as error:
            raise ScorerError(
                f"{folder} asks for more memory than there is; import the model again."
            ) from error
        except NoEngine as error:
            raise ScorerError(
                f"{folder} cannot be served here: {error}. Build the engine for this machine "
                "(`python -m scoring.engine`), or install lightgbm."
            ) from error
        except Exception as error:  # libraries raise whatever they like over what they did not expect
            raise ScorerError(
                f"{folder} is no scorer: {in_one_line(error)}; import the model again."
            ) from error

    @staticmethod
    def files(folder: Path) -> list[Path]:
        """Return the files that make up a scorer which `load` has read: what may be copied."""
        return named_files(folder)


def _describe(scorer: Scorer) -> dict[str, Any]:
    """Return what scorer.json says, but for the files' hashes."""
    encoding, function = scorer.model.encoding, scorer.model.function
    columns: list[dict[str, Any]] = []
    for name in encoding.names:
        column: dict[str, Any] = {"name": name, "kind": "category" if name in encoding.levels else "number"}
        if name in encoding.levels:
            column["levels"] = list(encoding.levels[name])
        if name in encoding.fill:
            column["missing_reads_as"] = encoding.fill[name]
        if name in scorer.ranges:
            column["minimum"], column["maximum"] = scorer.ranges[name]
        column["importance"] = scorer.importance.get(name, 0.0)
        column["granted_contribution"] = scorer.granted_contributions.get(name, 0.0)
        if name in scorer.granted_values:
            column["granted_value"] = scorer.granted_values[name]
        columns.append(column)
    return {
        "format": FORMAT,
        "family": scorer.family,
        "features": columns,
        "linear": function.to_json(encoding.names) if isinstance(function, Linear) else None,
        "scorecard": _card(scorer, function) if isinstance(function, Scorecard) else None,
        "calibration": calibrated.to_json(scorer.calibration),
        "threshold": scorer.threshold,
        "costs": asdict(scorer.costs),
        "points": asdict(scorer.points),
        "policy": list(scorer.policy),
        "metrics": scorer.metrics,
        "lineage": scorer.lineage,
        "certainty": scorer.certainty and certain.described(scorer.certainty, _reading(scorer)),
    }


def _card(scorer: Scorer, card: Scorecard) -> dict[str, Any]:
    """Return a scorecard as JSON; its points are those of the score where calibration is affine."""
    slope = scorer.calibration.slope if isinstance(scorer.calibration, Affine) else 1.0
    return card.to_json(scorer.feature_names, scorer.categories, -scorer.points.factor * slope)


def _reading(scorer: Scorer) -> dict[str, Any] | None:
    """Return the readable scorecard beside the model as JSON."""
    if scorer.certainty is None or scorer.certainty.reading is None:
        return None
    card = scorer.certainty.reading.card
    return card.to_json(scorer.feature_names, scorer.categories, -scorer.points.factor)


def _rebuild(said: Mapping[str, Any], folder: Path) -> Scorer:
    """Make the scorer that scorer.json describes."""
    columns = said["features"]
    names = tuple(column["name"] for column in columns)
    encoding = Encoding(
        names,
        {column["name"]: tuple(column["levels"]) for column in columns if "levels" in column},
        {column["name"]: column["missing_reads_as"] for column in columns if "missing_reads_as" in column},
    )
    function: Linear | Scorecard | Boosted
    if said["family"] == "lightgbm":
        function = Boosted((folder / BOOSTER).read_text(encoding="utf-8"))
        if function.feature_names != list(names):
            raise ScorerError(
                f"{folder / BOOSTER} reads other features than {DESCRIPTION} says; import the model again."
            )
    elif said["family"] == "scorecard":
        function = Scorecard.from_json(said["scorecard"], names)
    else:
        function = Linear.from_json(said["linear"], names)
    return Scorer(
        model=Model(encoding, function),
        calibration=calibrated.from_json(said["calibration"]),
        threshold=float(said["threshold"]),
        costs=Costs(**said["costs"]),
        points=Points(**said["points"]),
        policy=tuple(said["policy"]),
        ranges={c["name"]: (c["minimum"], c["maximum"]) for c in columns if "minimum" in c},
        granted_contributions={column["name"]: column["granted_contribution"] for column in columns},
        granted_values={
            column["name"]: column["granted_value"] for column in columns if "granted_value" in column
        },
        importance={column["name"]: column["importance"] for column in columns},
        metrics=said["metrics"],
        lineage=said["lineage"],
        certainty=said.get("certainty") and certain.rebuilt(said["certainty"], names),
    )
