"""What a portfolio holds, before anything is learned from it: ``make notebooks``, or edit it with marimo."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Exploring a portfolio")


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import polars as pl

    from notebooks.showing import picture, table
    from scoring import tables
    from scoring.features.wording import LEVELS
    from scoring.language import ENGLISH, percent, say
    from scoring.schema import HISTORY, Application, columns

    declared = columns(Application)
    return (
        ENGLISH,
        HISTORY,
        LEVELS,
        declared,
        mo,
        np,
        percent,
        picture,
        pl,
        plt,
        say,
        table,
        tables,
    )


@app.cell
def _(mo):
    path = mo.cli_args().get("portfolio") or "var/demo"
    return (path,)


@app.cell
def _(mo, path, percent, tables):
    portfolio = tables.read(path)
    applications = portfolio.applications
    bad = applications[tables.LABEL]
    mo.md(
        f"""
        # Exploring a portfolio

        `{path}`: **{applications.height:,}** applications with a known outcome,
        **{percent(bad.mean(), "en", 2)}** of them with payment difficulties, and
        **{sum(frame.height for frame in portfolio.history.values()):,}** records of history.

        Another portfolio: `marimo edit notebooks/explore.py -- --portfolio PATH`.
        """
    )
    return applications, bad, portfolio


@app.cell
def _(HISTORY, applications, mo, pl, portfolio, table):
    counted = [
        (name, frame.height, frame["row"].n_unique() / applications.height)
        for name in HISTORY
        if (frame := portfolio.history.get(name)) is not None
    ]
    history = pl.DataFrame(
        counted, schema=["table", "records", "applications with any, share"], orient="row"
    ).with_columns(pl.col("applications with any, share").round(3))
    mo.vstack([mo.md("## History\n\nWho has none is judged by the application alone."), table(history)])
    return


@app.cell
def _(ENGLISH, applications, bad, declared, mo, pl, say, table):
    rows = []
    for name in declared:
        if name not in applications.columns or name == "SK_ID_CURR":
            continue
        gone = applications[name].is_null()
        share = gone.mean()
        both = 0 < share < 1
        rows.append(
            {
                "column": name,
                "what": say(declared[name].label, ENGLISH),
                "missing": round(share, 3),
                "default rate, known": round(bad.filter(~gone).mean(), 3) if share < 1 else None,
                "default rate, missing": round(bad.filter(gone).mean(), 3) if both else None,
            }
        )
    missing = pl.DataFrame(rows).sort("missing", descending=True)
    mo.vstack(
        [
            mo.md(
                "## What is missing\n\nMissing stays missing: the model has a side for it in each "
                "tree. Where the two "
                "rates differ, that a value is missing says something by itself."
            ),
            table(missing),
        ]
    )
    return


@app.cell
def _(applications, declared, mo, np, pl, table):
    found = []
    for number_name, column in declared.items():
        if column.kind not in ("number", "integer") or number_name not in applications.columns:
            continue
        values = applications[number_name].drop_nulls().to_numpy().astype(float)
        if len(values) < 100 or np.ptp(values) == 0:
            continue
        low, high = np.quantile(values, [0.25, 0.75])
        reach = 3 * (high - low)
        outside = (values < low - reach) | (values > high + reach)
        if reach and outside.any():
            found.append(
                {
                    "column": number_name,
                    "outside, share": round(float(outside.mean()), 4),
                    "lowest": float(values.min()),
                    "median": float(np.median(values)),
                    "highest": float(values.max()),
                }
            )
    outliers = pl.DataFrame(found).sort("outside, share", descending=True)
    mo.vstack(
        [
            mo.md(
                "## Outliers\n\nFurther from the middle half than three times its width. "
                "`DAYS_EMPLOYED` has the source's "
                "code for *not employed*, 365243 days; features read it as missing. Nothing is cut: "
                "trees do not mind, and "
                "a linear candidate clips for itself."
            ),
            table(outliers),
        ]
    )
    return


@app.cell
def _(applications, bad, np):
    def by_parts(name, parts=10):
        """Default rate and size of the parts of a number, by its quantiles."""
        values = applications[name].to_numpy().astype(float)
        known = ~np.isnan(values)
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, parts + 1)))
        part = np.clip(np.searchsorted(edges, values[known], side="right") - 1, 0, len(edges) - 2)
        sizes = np.bincount(part, minlength=len(edges) - 1)
        rates = np.bincount(part, weights=bad.to_numpy()[known], minlength=len(edges) - 1) / np.maximum(
            sizes, 1
        )
        middles = (edges[:-1] + edges[1:]) / 2
        return middles, rates, np.sqrt(rates * (1 - rates) / np.maximum(sizes, 1))

    return (by_parts,)


@app.cell
def _(ENGLISH, bad, by_parts, declared, mo, picture, plt, say):
    shown = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3", "AMT_CREDIT", "AMT_INCOME_TOTAL", "DAYS_BIRTH")
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), sharey=True, layout="constrained")
    for place, fact in zip(axes.flat, shown, strict=True):
        middles, rates, errors = by_parts(fact)
        place.errorbar(middles, rates, yerr=1.96 * errors, fmt="o-", capsize=2)
        place.axhline(bad.mean(), color="grey", linewidth=0.8)
        place.set_title(say(declared[fact].label, ENGLISH), fontsize=9)
        place.xaxis.set_major_locator(plt.MaxNLocator(4))
        place.xaxis.set_major_formatter("{x:,g}")
    axes[0, 0].set_ylabel("default rate")
    axes[1, 0].set_ylabel("default rate")
    mo.vstack(
        [
            mo.md("## One fact against the outcome\n\nDefault rate by tenths, with 95% intervals."),
            picture(figure, "Default rate by tenths of six facts"),
        ]
    )
    return


@app.cell
def _(ENGLISH, LEVELS, applications, mo, pl, say, table, tables):
    levels = (
        applications.group_by("NAME_INCOME_TYPE")
        .agg(pl.len().alias("applications"), pl.col(tables.LABEL).mean().round(3).alias("default rate"))
        .sort("applications", descending=True)
        .with_columns(
            pl.col("NAME_INCOME_TYPE").map_elements(
                lambda level: say(LEVELS[level], ENGLISH) if level in LEVELS else level,
                return_dtype=pl.String,
            )
        )
    )
    mo.vstack([mo.md("## A category"), table(levels)])
    return


@app.cell
def _(applications, bad, mo, np, picture, plt):
    names = ("EXT_SOURCE_2", "EXT_SOURCE_3")
    pair = [applications[name].to_numpy().astype(float) for name in names]
    known_both = ~np.isnan(pair[0]) & ~np.isnan(pair[1])
    sums, xs, ys = np.histogram2d(
        pair[0][known_both], pair[1][known_both], bins=8, weights=bad.to_numpy()[known_both].astype(float)
    )
    sizes, _, _ = np.histogram2d(pair[0][known_both], pair[1][known_both], bins=[xs, ys])
    rate = np.where(sizes >= 30, sums / np.maximum(sizes, 1), np.nan)
    two, axis = plt.subplots(figsize=(6, 5), layout="constrained")
    drawn = axis.pcolormesh(xs, ys, rate.T, cmap="viridis")
    two.colorbar(drawn, label="default rate")
    axis.set(xlabel=names[0], ylabel=names[1])
    mo.vstack(
        [
            mo.md("## Two facts against the outcome\n\nFields of fewer than 30 applications stay empty."),
            picture(two, "Default rate by two external scores"),
        ]
    )
    return


@app.cell
def _(applications, declared, mo, np, pl, table, tables):
    numbers = [
        n
        for n, c in declared.items()
        if c.kind in ("number", "integer", "flag") and n in applications.columns
    ]
    label = applications[tables.LABEL].to_numpy().astype(float)
    strength = []
    for column_name in numbers:
        ranks = applications[column_name].rank().to_numpy()
        there = ~np.isnan(ranks)
        if there.sum() > 100 and np.ptp(ranks[there]) > 0 and 0 < label[there].mean() < 1:
            value = float(np.corrcoef(ranks[there], label[there])[0, 1])
            strength.append({"column": column_name, "rank correlation with TARGET": round(value, 4)})
    correlated = pl.DataFrame(strength).sort(pl.col("rank correlation with TARGET").abs(), descending=True)
    mo.vstack(
        [
            mo.md("## What goes with the outcome\n\nOne fact at a time; the model sees them together."),
            table(correlated),
        ]
    )
    return


if __name__ == "__main__":
    app.run()
