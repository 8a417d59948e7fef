"""A whole portfolio in memory: the application table and its six histories."""

from typing import Literal

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.bureau import draw_bureau
from scoring.synthetic.cards import draw_cards
from scoring.synthetic.columns import APPLICATION_COLUMNS
from scoring.synthetic.housing import draw_housing
from scoring.synthetic.outcome import draw_target
from scoring.synthetic.people import draw_people
from scoring.synthetic.previous import draw_previous
from scoring.synthetic.repayment import draw_repayment
from scoring.synthetic.request import POPULATIONS, draw_request

FIRST_ID = 100_001
"""Smallest SK_ID_CURR, as in the Kaggle files."""
PopulationName = Literal["train", "test"]


def generate(
    applicants: int, seed: int, population: PopulationName = "train", first_id: int = FIRST_ID
) -> dict[str, pl.DataFrame]:
    """Return the tables of a synthetic portfolio, shaped like the Home Credit files.

    Parameters
    ----------
    applicants : int
        Number of applications, at least 1.
    seed : int
        The same seed gives the same tables.
    population : {"train", "test"}
        ``train`` has TARGET; ``test`` is the later population: fewer revolving loans, smaller amounts, more
        complete scores and balances, other enquiries.
    first_id : int
        SK_ID_CURR of the first application; the others follow. Ids of loans derive from it.

    Returns
    -------
    dict of DataFrame
        By Kaggle table name, columns and order of the Kaggle files; whole numbers Int64, others Float64,
        categories String, gaps null.

    Raises
    ------
    ValueError
        If `applicants` or `first_id` is too small, or the population unknown.
    """
    if applicants < 1:
        raise ValueError(f"applicants is {applicants}: ask for at least 1")
    if first_id < FIRST_ID:
        raise ValueError(f"first_id is {first_id}: ids start at {FIRST_ID}")
    if population not in POPULATIONS:
        raise ValueError(f"population is {population!r}: choose one of {', '.join(POPULATIONS)}")
    return draw_tables(np.random.default_rng(seed), applicants, population, first_id)


def draw_tables(
    rng: np.random.Generator, n: int, name: PopulationName, first_id: int
) -> dict[str, pl.DataFrame]:
    """Draw the tables from a generator, in the order in which they depend on one another."""
    population = POPULATIONS[name]
    client = np.arange(first_id, first_id + n, dtype=np.int64)
    z = chance.latents(rng, n)
    people = draw_people(rng, z, population.email)
    request = draw_request(rng, z, people, population)
    housing = draw_housing(rng, z, population.home_known)
    bureau, bureau_balance = draw_bureau(rng, z, request.has_file, client, population)
    previous = draw_previous(rng, z, client, population)
    balances, payments = draw_repayment(rng, z, previous, client)
    cards, card_payments = draw_cards(rng, z, previous, client)
    application = pl.DataFrame({"SK_ID_CURR": client, **people.columns, **request.columns, **housing})
    history = {
        "bureau": bureau,
        "bureau_balance": bureau_balance,
        "previous_application": previous.table,
        "POS_CASH_balance": balances,
        "credit_card_balance": cards,
        "installments_payments": pl.concat([payments, card_payments]),
    }
    if name == "train":
        target = draw_target(rng, {"application": application, **history})
        application = application.select(
            "SK_ID_CURR", pl.lit(pl.Series("TARGET", target)), pl.all().exclude("SK_ID_CURR")
        )
    columns = [c for c in APPLICATION_COLUMNS if c in application.columns]
    return {f"application_{name}": application.select(columns), **history}
