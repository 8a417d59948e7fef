"""The building where the applicant lives: 47 columns that are missing in blocks.

14 quantities x (average, mode, median), total area, four categories. Quantiles of the averages are
aggregates of public training rows; size and age of the building are the two latents behind them.
"""

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.chance import Flags, Floats

# quantity: missing share of all, weights of the size and the age latent, grid, quantiles at chance.LEVELS
_QUANTITIES: dict[str, tuple[float, float, float, float, tuple[float, ...]]] = {
    "APARTMENTS": (
        0.5086, 0.96, 0, 0, (0, .0021, .0093, .0175, .0588, .0866, .1485, .2464, .3299, .5513, .9557),
    ),
    "BASEMENTAREA": (0.5860, 0.72, 0, 0, (0, 0, 0, 0, .0445, .0759, .1117, .1726, .229, .39, .9321)),
    "YEARS_BEGINEXPLUATATION": (
        0.4899, 0, 0.98, 0, (0.5, .9513, .9692, .9727, .9767, .9821, .9866, .9911, .996, .999, 1),
    ),
    "YEARS_BUILD": (
        0.6655, 0, 0.99, 0, (.03051, .4016, .5988, .6328, .6872, .7552, .8232, .8776, .9456, .9864, 1),
    ),
    "COMMONAREA": (0.6992, 0.62, 0, 0, (0, 0, 0, .0008, .0078, .0208, .051, .1046, .1627, .3762, 1)),
    "ELEVATORS": (0.5338, 0.60, 0.40, 0.04, (0, 0, 0, 0, 0, 0, .12, .24, .36, .64, 1)),
    "ENTRANCES": (
        0.5051, 0.58, 0, 1 / 29, (0, .0345, .0345, .0345, .069, .1379, .2069, .2759, .3103, .5517, .931),
    ),
    "FLOORSMAX": (0.4992, 0.65, 0.45, 1 / 24, (0, 0, .0417, .0417, .1667, .1667, .3333, .375, .5, .6667, 1)),
    "FLOORSMIN": (0.6788, 0.60, 0.40, 1 / 24, (0, 0, .0417, .0417, .0833, .2083, .375, .4167, .5, .7083, 1)),
    "LANDAREA": (0.5930, 0.47, 0, 0, (0, 0, 0, 0, .0191, .0481, .0853, .1422, .1974, .3994, 1)),
    "LIVINGAPARTMENTS": (
        0.6837, 0.97, 0, 0, (0, .0026, .0101, .0202, .0504, .0748, .121, .2101, .2802, .4631, .7964),
    ),
    "LIVINGAREA": (
        0.5033, 0.96, 0.1, 0, (0, .0022, .0083, .0147, .0465, .0746, .1303, .2367, .3268, .5597, .9327),
    ),
    "NONLIVINGAPARTMENTS": (0.6951, 0.2, 0, 0, (0, 0, 0, 0, 0, 0, .0039, .0154, .0309, .1026, .9916)),
    "NONLIVINGAREA": (0.5525, 0.2, 0, 0, (0, 0, 0, 0, 0, .0036, .0278, .0818, .1299, .3391, 1)),
}  # fmt: skip
_TOTAL = (0.4843, (0, 0.0017, 0.0068, 0.0126, 0.0419, 0.0687, 0.1291, 0.2327, 0.3116, 0.5413, 1))
_CATEGORIES: dict[str, tuple[float, tuple[str, ...], tuple[float, ...]]] = {
    "FONDKAPREMONT_MODE": (
        0.6848,
        ("reg oper account", "reg oper spec account", "org spec account", "not specified"),
        (0.7589, 0.1218, 0.0608, 0.0585),
    ),
    "HOUSETYPE_MODE": (
        0.5020,
        ("block of flats", "specific housing", "terraced house"),
        (0.9817, 0.0096, 0.0087),
    ),
    "WALLSMATERIAL_MODE": (
        0.5094,
        ("Wooden", "Stone, brick", "Others", "Block", "Panel", "Mixed", "Monolithic"),
        (0.0351, 0.4231, 0.0109, 0.0632, 0.4402, 0.0147, 0.0127),
    ),
    "EMERGENCYSTATE_MODE": (0.4760, ("No", "Yes"), (0.9856, 0.0144)),
}
_KNOWN = 0.524
"""Share of applicants with anything known about the building, in training."""


def draw_housing(rng: np.random.Generator, z: dict[str, Floats], known_share: float) -> dict[str, pl.Series]:
    """Draw the housing block; nearly half of the applicants have none of it."""
    n = len(z["home_size"])
    known = z["home_known"] > chance.cut(1 - known_share)
    completeness = rng.standard_normal(n)
    columns: dict[str, pl.Series] = {}
    for name, (missing_share, size, age, grid, knots) in _QUANTITIES.items():
        missing = _missing(rng, missing_share, known, completeness)
        rest = np.sqrt(max(1 - (size**2 + age**2 + 0.8 * size * age), 0.0))
        latent = size * z["home_size"] + age * z["home_age"] + rest * rng.standard_normal(n)
        average, mode, median = _versions(rng, chance.quantile(latent, knots), grid)
        for suffix, values in (("AVG", average), ("MODE", mode), ("MEDI", median)):
            columns[f"{name}_{suffix}"] = chance.number(values, missing)
    total = chance.quantile(chance.mix(rng, z["home_size"], 0.95), _TOTAL[1])
    columns["TOTALAREA_MODE"] = chance.number(
        np.round(total, 4), _missing(rng, _TOTAL[0], known, completeness)
    )
    for name, (missing_share, levels, shares) in _CATEGORIES.items():
        missing = _missing(rng, missing_share, known, completeness)
        if name == "WALLSMATERIAL_MODE":  # sorted by size: wooden houses are small, monolithic ones large
            latent = chance.mix(rng, z["home_size"], 0.6)
            codes = np.digitize(latent, [chance.cut(s) for s in np.cumsum(shares)[:-1]])
        else:
            codes = chance.pick(rng, shares, n)
        columns[name] = chance.named(levels, codes, missing)
    return columns


def _missing(rng: np.random.Generator, share: float, known: Flags, completeness: Floats) -> Flags:
    """Tell where a quantity is missing: rarely alone, often with the others."""
    dropped = (share - (1 - _KNOWN)) / _KNOWN
    if dropped <= 0.001:
        return ~known
    return ~known | (chance.mix(rng, completeness, 0.96) < chance.cut(dropped))


def _versions(rng: np.random.Generator, average: Floats, grid: float) -> tuple[Floats, Floats, Floats]:
    """Return average, mode and median of a quantity, which differ by little and on the same grid."""
    n = len(average)
    lower = np.where(chance.flags(rng, 0.35, n), 1 - 0.08 * rng.random(n), 1.0)
    mode = average * lower * np.where(chance.flags(rng, 0.3, n), 1 + 0.05 * rng.standard_normal(n), 1.0)
    differs = chance.flags(rng, 0.03 if grid else 0.3, n)
    median = average * np.where(differs, 1 + 0.02 * rng.standard_normal(n), 1.0)
    return _on_grid(average, grid), _on_grid(mode, grid), _on_grid(median, grid)


def _on_grid(values: Floats, grid: float) -> Floats:
    """Round to the quantity's grid (0 = none) and to the four decimals of the source."""
    rounded: Floats = np.clip(np.round(np.round(values / grid) * grid if grid else values, 4), 0, 1)
    return rounded
