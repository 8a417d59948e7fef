"""From the runs of a training to its champion, and what the champion goes by: ``make notebooks``."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="From runs to the champion")


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import polars as pl
    import shap
    from lime.lime_tabular import LimeTabularExplainer

    from notebooks.showing import picture, table
    from scoring import features, tables
    from scoring.decision import COSTS
    from scoring.language import ENGLISH, say
    from scoring.scorer import BOOSTER, Scorer
    from training import mlflow_store, registry, runs
    from training.names import STORE

    return (
        BOOSTER,
        COSTS,
        ENGLISH,
        LimeTabularExplainer,
        STORE,
        Scorer,
        features,
        mlflow_store,
        mo,
        np,
        picture,
        pl,
        plt,
        registry,
        runs,
        say,
        shap,
        table,
        tables,
    )


@app.cell
def _(STORE, mo):
    store = mo.cli_args().get("tracking-uri") or STORE
    path = mo.cli_args().get("portfolio") or "var/demo"
    return path, store


@app.cell
def _(mlflow_store, mo, registry, store):
    client = mlflow_store.connect(store)
    champion = registry.find_champion(client)
    mo.md(
        f"""
        # From runs to the champion

        MLflow store `{mlflow_store.shown(store)}`, champion run `{champion.id}`.

        Another store: `marimo edit notebooks/champion.py -- --tracking-uri URI --portfolio PATH`.
        """
    )
    return champion, client


@app.cell
def _(champion, client, mo, pl, runs, table):
    compared = pl.DataFrame(
        [
            {
                "candidate": run.params["candidate"],
                "cost per 1,000": round(run.metrics["cost_per_1000"], 1),
                "AUC": round(run.metrics["auc"], 4),
                "business score": round(run.metrics["business_score"], 4),
                "champion": "yes" if run.id == champion.id else "",
            }
            for run in runs.find_compared(client, champion)
        ]
    )
    mo.vstack(
        [
            mo.md(
                "## Candidates\n\nOut of fold, on the same applications and folds; the cheapest "
                "first. Cost: 10 for a "
                "granted defaulter, 1 for a refused good client."
            ),
            table(compared),
        ]
    )
    return


@app.cell
def _(COSTS, champion, mo, np, picture, plt, runs):
    told = runs.read_out_of_fold(champion.id)
    order = np.argsort(-told["probability"].to_numpy())
    probability, outcome = told["probability"].to_numpy()[order], told["y"].to_numpy()[order]
    refused_good = np.concatenate([[0], np.cumsum(outcome == 0)])
    granted_bad = outcome.sum() - np.concatenate([[0], np.cumsum(outcome == 1)])
    cost = 1_000 * (COSTS.false_negative * granted_bad + COSTS.false_positive * refused_good) / len(outcome)
    cheapest = int(np.argmin(cost))
    curve, at = plt.subplots(figsize=(8, 4), layout="constrained")
    at.plot(np.append(1.0, probability), cost)
    at.axvline(COSTS.threshold, color="grey", linestyle="--", label=f"theory: {COSTS.threshold:.3f}")
    at.axvline(told["threshold"].mean(), color="black", label=f"chosen: {told['threshold'].mean():.3f}")
    at.set(xlim=(0, 0.5), xlabel="refuse from this probability on", ylabel="cost per 1,000 applications")
    at.legend()
    mo.vstack(
        [
            mo.md(
                "## The threshold\n\nEach application is judged by a model that did not see it. On "
                "these very applications "
                f"the cheapest point is {probability[max(cheapest - 1, 0)]:.3f}, noise included; "
                f"the one that is used was "
                "chosen on the other folds."
            ),
            picture(curve, "Cost per 1,000 applications by threshold"),
        ]
    )
    return (told,)


@app.cell
def _(mo, np, picture, plt, told):
    parts = np.array_split(np.argsort(told["probability"].to_numpy()), 10)
    said = [told["probability"].to_numpy()[part].mean() for part in parts]
    seen = [told["y"].to_numpy()[part].mean() for part in parts]
    reliability, to = plt.subplots(figsize=(5, 5), layout="constrained")
    to.plot(said, seen, "o-")
    to.plot([0, max(said)], [0, max(said)], color="grey", linewidth=0.8)
    to.set(xlabel="probability said", ylabel="share that defaulted")
    mo.vstack(
        [
            mo.md("## Calibration\n\nTenths of the applications, by probability."),
            picture(reliability, "Probability said against share that defaulted"),
        ]
    )
    return


@app.cell
def _(Scorer, champion, features, path, runs, tables):
    with runs.fetch_scorer(champion) as folder:
        scorer = Scorer.load(folder)
    whole = tables.read(path)
    sample = tables.take(whole, list(range(min(500, whole.applications.height))))
    built = features.build(sample)
    matrix = scorer.encode(built)
    return built, matrix, scorer


@app.cell
def _(ENGLISH, features, mo, picture, plt, say, scorer):
    leading = sorted(scorer.importance.items(), key=lambda pair: -pair[1])[:20][::-1]
    bars, axis = plt.subplots(figsize=(8, 6), layout="constrained")
    axis.barh(
        [say(features.FEATURE_BY_NAME[name].label, ENGLISH) for name, _ in leading], [w for _, w in leading]
    )
    axis.set_xlabel("mean absolute contribution, log-odds")
    mo.vstack(
        [mo.md("## What the champion goes by, over all"), picture(bars, "The twenty features of most weight")]
    )
    return


@app.cell
def _(BOOSTER, champion, matrix, mo, np, picture, plt, runs, scorer, shap):
    import lightgbm

    # LightGBM's own booster, explained by SHAP's library: what the service says must be the same.
    own = None
    if scorer.family == "lightgbm":
        with runs.fetch_scorer(champion) as kept:
            booster = lightgbm.Booster(model_file=str(kept / BOOSTER))
        own = shap.TreeExplainer(booster).shap_values(matrix)
        own = own[-1] if isinstance(own, list) else own
    ours, _ = scorer.model.function.contributions(matrix)
    apart = "no trees to compare" if own is None else f"{np.abs(own - ours).max():.1e}"
    swarm = plt.figure()
    shap.summary_plot(ours, matrix, feature_names=scorer.feature_names, show=False, max_display=15)
    mo.vstack(
        [
            mo.md(
                f"## SHAP, over all\n\nLargest difference between the library's values and the "
                f"service's: {apart}."
            ),
            picture(swarm, "Contributions of fifteen features over a sample"),
        ]
    )
    return (ours,)


@app.cell
def _(LimeTabularExplainer, built, matrix, mo, np, ours, pl, scorer, table):
    risky = int(np.argmax(scorer.probability(built)))
    filled = np.nan_to_num(matrix, nan=0.0)

    def both(rows):
        """Probability of repaying and of defaulting, which is what LIME asks for."""
        default = 1 / (1 + np.exp(-scorer.calibration.of(scorer.model.function.raw(rows))))
        return np.column_stack([1 - default, default])

    lime = LimeTabularExplainer(
        filled, feature_names=scorer.feature_names, discretize_continuous=False, random_state=0
    )
    local = dict(lime.explain_instance(filled[risky], both, num_features=10, num_samples=1_000).as_list())
    heaviest = np.argsort(-np.abs(ours[risky]))[:10]
    one = pl.DataFrame(
        [
            {
                "feature": scorer.feature_names[i],
                "value": round(float(matrix[risky, i]), 4),
                "contribution (SHAP)": round(float(ours[risky, i]), 4),
                "weight (LIME)": round(local.get(scorer.feature_names[i], 0.0), 4),
            }
            for i in heaviest
        ]
    )
    mo.vstack(
        [
            mo.md(
                "## One applicant\n\nThe riskiest of the sample. SHAP's values are exact for the "
                "trees; LIME fits a straight "
                "line around the applicant, of samples, and says 0 where a feature is not among its ten."
            ),
            table(one),
        ]
    )
    return


if __name__ == "__main__":
    app.run()
