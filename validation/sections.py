"""The sections of the pack about the model: card, data, ladder, candidates, curves, money, importance."""

from __future__ import annotations

from scoring import features as declared
from scoring.evidence.alternatives import Refit
from scoring.evidence.description import QUANTILES, Bin, Column
from scoring.evidence.money import Outcome
from scoring.evidence.paired import Difference
from scoring.features.wording import in_words
from scoring.metrics import Measured
from validation import curves
from validation.blocks import Facts, Plot, Section, Table
from validation.evidence import Evidence
from validation.language import MINUS, Language

SHARES = ("share_granted", "default_rate_granted", "recall", "accuracy")
MEASURES = {
    "auc": 4, "gini": 4, "ks": 4, "brier": 4, "log_loss": 4, "business_score": 4,
    "cost_per_1000": 0,
}  # fmt: skip
APPROVALS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def card(evidence: Evidence, language: Language) -> Section:
    """Say what the model is, and how good."""
    e, say = evidence, language.say
    scorer, lineage = e.scorer, e.scorer.lineage
    kept_out = ", ".join(say(f"attribute:{name}") for name in scorer.policy) or say("none")
    libraries = lineage.get("libraries", {})
    facts = (
        (say("use"), say("use:value")),
        (say("family"), f"{scorer.family} ({e.run.params.get('candidate', '')})"),
        (say("features_read"), language.count(len(scorer.feature_names))),
        (say("kept_out"), kept_out),
        (say("calibration"), e.run.params.get("calibration", "")),
        (say("threshold"), language.number(scorer.threshold, 4)),
        (
            say("costs"),
            say(
                "costs:value",
                fn=language.count(int(scorer.costs.false_negative)),
                fp=language.count(int(scorer.costs.false_positive)),
            ),
        ),
        (say("run"), e.run.id),
        (say("trained"), str(lineage.get("created", ""))),
        (say("revision"), str(lineage.get("git_revision", ""))),
        (say("data_hash"), str(lineage.get("data_sha256", ""))),
        (say("folds"), str(lineage.get("folds", ""))),
        (say("seed"), str(lineage.get("seed", ""))),
        (say("libraries"), ", ".join(f"{name} {version}" for name, version in libraries.items())),
    )
    rows = [(say(name), language.interval(e.metrics[name], digits)) for name, digits in MEASURES.items()]
    # Resampling raises it, so that an interval would not hold its value.
    error = language.number(e.metrics["calibration_error"].value, 4)
    rows.append((say("calibration_error"), error))
    for name in ("calibration_slope", "calibration_intercept"):
        found = e.run.metrics
        measured = Measured(found[name], found[f"{name}_low"], found[f"{name}_high"])
        rows.append((say(name), language.interval(measured, 3)))
    for name in SHARES:
        rows.append((say(name), language.share_interval(e.metrics[name])))
    return section(
        "card",
        language,
        Table(say("model_facts"), (say("property"), say("value")), facts),
        Table(say("performance"), (say("measure"), say("value")), tuple(rows)),
    )


def data(evidence: Evidence, language: Language) -> Section:
    """Show gaps, single columns, and columns beside the outcome."""
    e, say = evidence, language.say
    missing = tuple(
        (language.named("table", table), language.share(share)) for table, share in e.missing.items()
    )
    quantiles = tuple(
        (
            label(c.name, language),
            language.share(c.missing),
            _value(c.name, c.mean, language),
            *(_value(c.name, q, language) for q in c.quantiles or [None] * len(QUANTILES)),
        )
        for c in e.columns
    )
    head = (say("feature"), say("missing_share"), say("mean"), *(language.share(q, 0) for q in QUANTILES))
    pairs = tuple(
        (f"{label(a, language)} {say('and')} {label(b, language)}", language.number(r, 2))
        for a, b, r in e.correlations
    )
    rate = float(e.y.mean())
    plots = tuple(
        curves.column(
            language,
            c,
            number,
            say("plot:column", name=label(c.name, language)),
            [_bin(c, part, language) for part in c.bins],
            rate,
        )
        for number, c in enumerate(e.columns)
        if len(c.bins) > 1
    )
    tables = [
        Table(say("missing_by_table"), (say("table"), say("missing_share")), missing),
        Table(say("univariate"), head, quantiles),
    ]
    if pairs:
        tables.append(Table(say("together"), (say("feature"), say("correlation")), pairs))
    return section("data", language, *tables, *plots)


def ladder(evidence: Evidence, language: Language) -> Section:
    """Show what each block of features is worth."""
    e, say = evidence, language.say
    rows = tuple(
        (say(f"step:{one.variant.name}"), language.count(len(one.variant.features)), *refit(one, language))
        for one in e.ladder
    )
    head = (say("step"), say("number"), *refit_head(language))
    text = {
        "rows": language.count(e.size.rows),
        "folds": e.size.folds,
        "trees": language.count(e.trees),
    }
    return section("ladder", language, Table(say("ladder"), head, rows), **text)


def candidates(evidence: Evidence, language: Language) -> Section:
    """Show all candidates of the comparison."""
    e, say = evidence, language.say
    if e.candidates is None:
        return section("candidates", language, Facts((say("candidates:none"),)))
    rows = []
    for one in e.candidates.iter_rows(named=True):
        figures = (
            language.interval(Measured(one[n], one[f"{n}_low"], one[f"{n}_high"]), digits)
            for n, digits in (("auc", 4), ("business_score", 4), ("cost_per_1000", 0))
        )
        error = language.number(one["calibration_error"], 4)
        served = say("yes" if one["can_be_champion"] else "no")
        rows.append((one["candidate"], one["treatment"], *figures, error, served))
    head = tuple(
        say(key)
        for key in (
            "candidate", "imbalance", "auc", "business_score", "cost_per_1000", "calibration_error",
            "can_be_served",
        )
    )  # fmt: skip
    return section("candidates", language, Table(say("candidates"), head, tuple(rows)))


def curve(evidence: Evidence, language: Language) -> Section:
    """Show ROC, precision and recall, KS, CAP, gain, calibration, cost."""
    e = evidence
    plots = curves.discrimination(language, e.y, e.probability, e.scorer.threshold)
    return section("curves", language, *plots)


def money(evidence: Evidence, language: Language) -> Section:
    """Show what cut-offs lead to in money."""
    e, say = evidence, language.say
    head = tuple(
        say(key)
        for key in (
            "threshold",
            "share_granted",
            "default_rate_granted",
            "expected_loss",
            "loss",
            "earned",
            "profit",
            "cost_per_1000",
        )
    )

    def figures(o: Outcome) -> tuple[str, ...]:
        threshold = say("none") if o.threshold > 1 else language.number(o.threshold, 4)
        amounts = (language.number(v, 1) for v in (o.expected_loss, o.loss, o.margin, o.profit))
        cost = language.number(o.cost_per_1000, 0)
        return (threshold, language.share(o.share_granted), language.share(o.default_rate), *amounts, cost)

    cutoffs = tuple((say(f"cutoff:{name}"), *figures(o)) for name, o in e.cutoffs.items())
    nearest = [min(e.strategy, key=lambda o: abs(o.share_granted - share)) for share in APPROVALS]
    approvals = tuple((language.share(o.share_granted, 0), *figures(o)) for o in nearest)
    scenarios = tuple(
        (language.share(t.loss_given_default, 0), language.share(t.margin, 2), *figures(o))
        for t, o in e.scenarios
    )
    text = {
        "lgd": language.share(e.terms.loss_given_default, 0),
        "margin": language.share(e.terms.margin, 2),
        "ratio": language.number(e.terms.cost_ratio, 1),
    }
    return section(
        "money",
        language,
        Table(say("cutoffs"), (say("cutoff"), *head), cutoffs),
        Table(say("approvals"), (say("granted"), *head), approvals),
        *curves.strategy(language, e.strategy, e.cutoffs),
        Table(say("scenarios"), (say("lgd"), say("margin"), *head), scenarios),
        **text,
    )


def importance(evidence: Evidence, language: Language) -> Section:
    """Show which features weigh most."""
    weights = {name: evidence.scorer.importance[name] for name in evidence.important}
    plot: Plot = curves.importance(language, weights, {n: label(n, language) for n in weights})
    return section("importance", language, plot)


def section(name: str, language: Language, *blocks: Table | Plot | Facts, **text: object) -> Section:
    """Return a section; ``text`` fills the places of its words."""
    return Section(name, language.say(name), language.say(f"{name}:text", **text), blocks)


def label(name: str, language: Language) -> str:
    """Return a feature's label."""
    feature = declared.FEATURE_BY_NAME[name]
    return feature.en if language.code == "en" else feature.fr


def refit_head(language: Language) -> tuple[str, ...]:
    """Name the columns of ``refit``."""
    return tuple(language.say(key) for key in ("auc", "cost_per_1000", "gained", "saved"))


def refit(one: Refit, language: Language) -> tuple[str, ...]:
    """Return a refit's AUC and cost, and its differences."""

    def written(found: Difference | None, digits: int) -> str:
        return language.interval(found, digits, is_signed=True) if found else language.say("none")

    return (
        language.number(one.auc, 4),
        language.number(one.cost, 0),
        written(one.auc_gained, 4),
        written(one.cost_saved, 1),
    )


def _value(name: str, value: float | None, language: Language) -> str:
    if value is None:
        return language.say("none")
    return in_words(declared.FEATURE_BY_NAME[name], value, language.code).replace("-", MINUS)


def _bin(column: Column, part: Bin, language: Language) -> str:
    """Name a bin in words."""
    if part.is_missing:
        return language.say("missing")
    feature = declared.FEATURE_BY_NAME[column.name]
    if part.level is not None:
        return in_words(feature, part.level, language.code)
    if part.high is not None:
        return language.say("up_to", high=in_words(feature, part.high, language.code))
    if part.low is not None:
        return language.say("above", low=in_words(feature, part.low, language.code))
    return language.say("everything")
