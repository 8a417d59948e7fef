"""Values that training never saw: scored all the same, and said in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from scoring.features import FEATURE_BY_NAME
from scoring.model import Encoding

Remark = dict[str, str | float]


def unseen(
    encoding: Encoding, ranges: Mapping[str, tuple[float, float]], features: pl.DataFrame
) -> list[list[Remark]]:
    """Return, per application, what its model never saw, with the keys of ``schema.InputWarning``.

    Parameters
    ----------
    encoding : Encoding
        Knows the levels of each category.
    ranges : mapping of str to (float, float)
        Lowest and highest value of each number in training; a number without one is not judged.
    features : polars.DataFrame of shape (n_applications, n_features)
    """
    codes = encoding.codes(features)
    unknown = (np.nan, np.nan)
    low, high = np.array([ranges.get(name, unknown) for name in encoding.names]).reshape(-1, 2).T
    found: list[list[Remark]] = [[] for _ in range(len(codes))]
    for row, column in np.argwhere((codes < low) | (codes > high)):
        name = encoding.names[column]
        found[row].append(_outside(name, float(codes[row, column]), *ranges[name]))
    for name in encoding.levels:
        gaps = np.isnan(codes[:, encoding.names.index(name)])
        for row in np.flatnonzero(gaps & features[name].is_not_null().to_numpy()):
            found[row].append(_unseen(name, str(features[name][int(row)])))
    return found


def _labels(name: str) -> tuple[str, str]:
    """Return a feature's English and French words, or its name if it is not one of ``FEATURES``."""
    feature = FEATURE_BY_NAME.get(name)
    return (feature.en, feature.fr) if feature else (name, name)


def _unseen(name: str, value: str) -> Remark:
    en, fr = _labels(name)
    return {
        "feature": name,
        "problem": "unseen category",
        "value": value,
        "en": f"{en}: the model never saw “{value}”, which counts as unknown.",
        "fr": f"{fr} : le modèle n'a jamais vu « {value} », qui compte comme inconnu.",
    }


def _outside(name: str, value: float, low: float, high: float) -> Remark:
    en, fr = _labels(name)
    now, least, most = (f"{number:,.6g}" for number in (value, low, high))
    comma = str.maketrans({",": "\u202f", ".": ","})  # French: narrow space between thousands, decimal comma
    return {
        "feature": name,
        "problem": "outside range",
        "value": value,
        "en": f"{en}: {now} lies outside the values of training, {least} to {most}.",
        "fr": f"{fr} : {now.translate(comma)} sort des valeurs de l'entraînement, "
        f"de {least.translate(comma)} à {most.translate(comma)}.",
    }
