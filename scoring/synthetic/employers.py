"""Where people work: shares of organisations and occupations, with the default rate of each.

Source: 34,600 public training rows with an employer. A line holds the name, its share in thousandths
per cell, and the default rate of the level; for an organisation also the share of unsaid occupations.
"""

import numpy as np

from scoring.synthetic.chance import Floats

# cells: Working women, men; Commercial associate women, men; State servant women, men
_ORGANISATIONS: tuple[tuple[str, float, float, float, float, float, float, float, float], ...] = (
    ("Business Entity Type 3", 241.7, 311.6, 317.6, 391.9, 19.3, 43.2, 0.093, 0.21),
    ("Self-employed", 182.2, 148.4, 190.6, 132.1, 4.7, 17.9, 0.097, 0.1),
    ("Other", 64.2, 62.3, 53.5, 54.9, 141.8, 105.8, 0.070, 0.31),
    ("Medicine", 57.1, 10.2, 28.3, 9.7, 196, 40.2, 0.069, 0.1),
    ("Government", 45.1, 25, 25.7, 15.5, 139.7, 147.5, 0.059, 0.18),
    ("Business Entity Type 2", 40.9, 56, 35.3, 40.1, 12.5, 14.9, 0.077, 0.22),
    ("School", 45.3, 10.6, 17.4, 7, 152.8, 65.6, 0.075, 0.16),
    ("Trade: type 7", 39, 19.2, 44.5, 23.1, 2.6, 4.5, 0.088, 0.04),
    ("Kindergarten", 40.6, 4, 15.6, 1.5, 127.7, 6, 0.056, 0.07),
    ("Construction", 14.3, 56.9, 15.4, 48.3, 2.6, 7.5, 0.107, 0.09),
    ("Business Entity Type 1", 21.4, 25.9, 28.1, 32.5, 4.7, 8.9, 0.084, 0.21),
    ("Transport: type 4", 12.4, 40.3, 15.8, 37.9, 2.6, 8.9, 0.089, 0.18),
    ("Trade: type 3", 15.4, 7.6, 29.3, 16.7, 1, 1.5, 0.110, 0.07),
    ("Industry: type 3", 20.6, 10.5, 14.4, 7.9, 1, 1.5, 0.124, 0.1),
    ("Industry: type 9", 9.2, 28.3, 7.3, 11.2, 3.1, 8.9, 0.052, 0.15),
    ("Housing", 11.3, 16.9, 11.3, 9.1, 6.3, 29.8, 0.089, 0.16),
    ("Security", 4, 26.4, 3.9, 25.5, 2.1, 11.9, 0.098, 0.07),
    ("Industry: type 11", 10.9, 14, 6.8, 9.4, 4.7, 4.5, 0.087, 0.19),
    ("Bank", 9.8, 2.3, 21.6, 9.4, 4.2, 3, 0.055, 0.07),
    ("Military", 3.8, 9.1, 2.6, 1.8, 26.1, 143.1, 0.042, 0.22),
    ("Police", 2.7, 6.7, 1.3, 6.4, 31.3, 152, 0.079, 0.09),
    ("Agriculture", 9.4, 14.8, 4.5, 3.6, 1.6, 1.5, 0.084, 0.16),
    ("Transport: type 2", 6.4, 12.6, 5.6, 8.8, 7.3, 14.9, 0.077, 0.12),
    ("Postal", 10.4, 1.6, 4.7, 1.8, 31.8, 7.5, 0.080, 0.06),
    ("Trade: type 2", 5, 5.5, 9.8, 21.3, 0, 0, 0.089, 0.05),
    ("Security Ministries", 3.8, 5.8, 3.2, 2.4, 30.2, 71.5, 0.033, 0.23),
    ("Restaurant", 9.7, 3.4, 9.8, 3.9, 2.1, 1.5, 0.119, 0.07),
    ("Services", 9.9, 1.3, 13.3, 1.8, 0, 0, 0.080, 0.06),
    ("Industry: type 7", 5.3, 7.1, 4.3, 6.1, 0.5, 4.5, 0.073, 0.16),
    ("University", 5.1, 1.9, 3.9, 5.2, 14.6, 11.9, 0.053, 0.24),
    ("Industry: type 1", 3.1, 7.9, 3.6, 4.6, 0.5, 3, 0.105, 0.18),
    ("Electricity", 4.1, 5.2, 2.6, 4.6, 2.6, 6, 0.071, 0.15),
    ("Transport: type 3", 1.5, 9.4, 1.7, 7.3, 0, 1.5, 0.138, 0.02),
    ("Hotel", 5.4, 2.1, 5.3, 2.1, 2.6, 1.5, 0.056, 0.26),
    ("Industry: type 4", 2.2, 4.4, 2.8, 5.8, 0, 0, 0.079, 0.26),
    ("Trade: type 6", 3.6, 0.5, 5.4, 1.5, 1.6, 0, 0.057, 0.12),
    ("Industry: type 5", 2.2, 4.6, 2.4, 1.8, 0, 0, 0.073, 0.15),
    ("Telecom", 2, 2.4, 2.6, 3, 1.6, 4.5, 0.084, 0.1),
    ("Insurance", 1.8, 0.5, 5.6, 2.4, 2.1, 1.5, 0.072, 0.19),
    ("Industry: type 2", 1.9, 3.5, 1.1, 3.6, 0, 1.5, 0.072, 0.13),
    ("Emergency", 0.8, 3.1, 0.2, 1.2, 4.2, 28.3, 0.074, 0.17),
    ("Industry: type 12", 2.2, 0.9, 2.8, 1.2, 1, 0, 0.063, 0.13),
    ("Advertising", 1.3, 1.3, 3.2, 2.4, 1, 1.5, 0.090, 0.19),
    ("Culture", 2.1, 0.9, 1.1, 0.3, 3.1, 4.5, 0.057, 0.17),
    ("Realtor", 1.5, 0.8, 2.8, 1.5, 1, 0, 0.086, 0.13),
    ("Trade: type 1", 1.4, 0.9, 2.4, 0.9, 0.5, 0, 0.101, 0.02),
    ("Legal Services", 1, 0.8, 1.3, 3, 1.6, 3, 0.082, 0.05),
    ("Mobile", 1, 0.4, 3, 1.5, 0, 0, 0.075, 0.08),
    ("Cleaning", 1.4, 0.3, 0.8, 0.9, 0.5, 1.5, 0.081, 0.29),
    ("Industry: type 10", 0.7, 1.3, 0.4, 0.9, 0, 1.5, 0.085, 0.12),
    ("Transport: type 1", 0.3, 0.7, 1.5, 0.6, 0.5, 0, 0.077, 0.25),
    ("Industry: type 6", 0.3, 0.4, 0.8, 0, 0, 0, 0.102, 0.3),
    ("Industry: type 13", 0.2, 0.5, 0, 0.9, 0.5, 0, 0.088, 0.2),
    ("Religion", 0.3, 0.7, 0.2, 0.3, 0, 0, 0.074, 0.1),
    ("Trade: type 5", 0.6, 0.1, 0.4, 0, 0, 0, 0.074, 0),
    ("Trade: type 4", 0.1, 0.1, 0.6, 0.6, 0, 0, 0.077, 0.29),
    ("Industry: type 8", 0.2, 0, 0, 0, 0, 0, 0.083, 0),
)
# cells: other education women, men; higher education women, men
_OCCUPATIONS: tuple[tuple[str, float, float, float, float, float], ...] = (
    ("Laborers", 212.3, 440.3, 74.2, 222.8, 0.105),
    ("Sales staff", 258.7, 45.4, 128.9, 64.9, 0.096),
    ("Core staff", 122.6, 45.7, 290.8, 149.8, 0.063),
    ("Managers", 57.9, 66, 171.7, 291.2, 0.061),
    ("Drivers", 8.6, 252.7, 5.8, 94.3, 0.116),
    ("High skill tech staff", 49.7, 30.9, 73.9, 104, 0.057),
    ("Accountants", 41.8, 1.1, 150.6, 13.3, 0.040),
    ("Medicine staff", 77.9, 3.1, 25.5, 2.7, 0.066),
    ("Security staff", 19.2, 65.4, 6.1, 26.7, 0.099),
    ("Cooking staff", 54, 9.2, 8.7, 3.6, 0.096),
    ("Cleaning staff", 45.2, 5, 6.3, 1.8, 0.094),
    ("Private service staff", 21.4, 1.3, 16.1, 0.9, 0.072),
    ("Low-skill Laborers", 3.7, 29.5, 0.9, 5.3, 0.159),
    ("Secretaries", 8.7, 0.7, 15, 0.9, 0.070),
    ("Waiters/barmen staff", 10.6, 1.2, 4.2, 1.8, 0.090),
    ("Realty agents", 5.5, 0.5, 7, 0.9, 0.077),
    ("HR staff", 2, 0.4, 11.5, 1.8, 0.059),
    ("IT staff", 0.3, 1.7, 2.8, 13.3, 0.069),
)
# How many times likelier an occupation is in an organisation than by its cell alone.
_LIFTS: dict[str, dict[str, float]] = {
    "Services": {"Private service staff": 34}, "Security": {"Security staff": 60},
    "Restaurant": {"Cooking staff": 15, "Waiters/barmen staff": 12}, "Medicine": {"Medicine staff": 20},
    "Transport: type 3": {"Drivers": 20}, "Police": {"Core staff": 5},
    "Kindergarten": {"Core staff": 5, "Cooking staff": 3.5}, "Bank": {"Core staff": 5},
    "School": {"Core staff": 5, "Cleaning staff": 3}, "Trade: type 7": {"Sales staff": 4},
    "Security Ministries": {"Core staff": 4}, "Transport: type 4": {"Drivers": 4},
    "Postal": {"Core staff": 3}, "Trade: type 3": {"Sales staff": 3}, "Trade: type 2": {"Sales staff": 3},
    "Self-employed": {"Sales staff": 2.5}, "Government": {"Core staff": 2.5}, "Military": {"Core staff": 2.3},
    "Industry: type 11": {"Laborers": 3}, "Industry: type 7": {"Laborers": 3},
    "Industry: type 3": {"Laborers": 2.5}, "Industry: type 9": {"Laborers": 2.5},
    "Industry: type 1": {"Laborers": 3}, "Construction": {"Laborers": 2.2}, "Housing": {"Laborers": 2.1},
    "Business Entity Type 2": {"Laborers": 2, "High skill tech staff": 2.5},
    "Business Entity Type 1": {"Laborers": 1.9},
}  # fmt: skip

ORGANISATIONS = tuple(row[0] for row in _ORGANISATIONS)
ORGANISATION_BY_CELL = np.array([row[1:7] for row in _ORGANISATIONS]).T
_ORGANISATION_WEIGHT = ORGANISATION_BY_CELL.T @ np.array([0.36, 0.21, 0.15, 0.10, 0.07, 0.03]) / 920
UNSAID_SHARE = np.array([row[8] for row in _ORGANISATIONS])
ORGANISATION_RISK = dict(zip(ORGANISATIONS, (row[7] for row in _ORGANISATIONS), strict=True))
OCCUPATIONS = tuple(row[0] for row in _OCCUPATIONS)
OCCUPATION_BY_CELL = np.array([row[1:5] for row in _OCCUPATIONS]).T
OCCUPATION_RISK = dict(zip(OCCUPATIONS, (row[5] for row in _OCCUPATIONS), strict=True))


def _lift(organisation: int) -> Floats:
    """Return the factors on the occupations' shares in an organisation."""
    lift = np.ones(len(OCCUPATIONS))
    for name, factor in _LIFTS.get(ORGANISATIONS[organisation], {}).items():
        lift[OCCUPATIONS.index(name)] = factor
    return lift


_ALL_LIFTS = np.array([_lift(number) for number in range(len(ORGANISATIONS))])
OCCUPATION_LIFT = _ALL_LIFTS / (_ALL_LIFTS.T @ _ORGANISATION_WEIGHT)
"""Factors by organisation and occupation, such that the occupations keep their overall shares."""
