"""Bring one flat table with names of its own into a portfolio.

`python docs/another_lender/map.py loans.csv var/theirs`

What the built-in application has a place for goes there, in its units; the rest is what the folder
`docs/another_lender/extension` adds. All other columns are empty: the model learns nothing of them.
"""

from pathlib import Path

import polars as pl
import typer

from scoring.schema import Application, columns

KNOWN = 0.8  # share of the loans, the older ones, that a model is trained on; the others are to be scored


def bring(loans: Path, out: Path) -> None:
    """Write application_train.csv and application_test.csv into a new folder."""
    table = pl.read_csv(loans)
    mapped = table.select(
        SK_ID_CURR="loan",
        TARGET=(pl.col("outcome") == "default").cast(pl.Int8),
        AMT_CREDIT="amount",
        AMT_ANNUITY=pl.col("amount") / pl.col("months"),
        DAYS_BIRTH=-365 * pl.col("age"),
        CODE_GENDER=pl.col("sex").replace_strict({"male": "M", "female": "F"}),  # kept out of the model
        MONTHS="months",
        CURRENT_ACCOUNT="account",
        SAVINGS="savings",
        EARLIER_CREDITS="history",
    )
    empty = [pl.lit(None).alias(name) for name in columns(Application) if name not in mapped.columns]
    whole = mapped.with_columns(empty)
    out.mkdir(parents=True)
    train = round(KNOWN * whole.height)
    whole.head(train).write_csv(out / "application_train.csv")
    whole.tail(-train).drop("TARGET").write_csv(out / "application_test.csv")


if __name__ == "__main__":
    typer.run(bring)
