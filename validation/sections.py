"""The sections of the pack about the model: card, data, ladder, candidates, curves, money, importance."""

from __future__ import annotations

from scoring import features as declared
from scoring.evidence.alternatives import Refit
from scoring.evidence.card import CardLine
from scoring.evidence.description import QUANTILES, Bin, ColumnSummary
from scoring.evidence.fairness import SMALLEST
from scoring.evidence.money import MoneyOutcome
from scoring.evidence.paired import Difference
from scoring.features.wording import in_words
from scoring.language import MINUS, say
from scoring.metrics import Measured
from validation import curves
from validation.blocks import Facts, Plot, Section, TableBlock
from validation.evidence import Evidence
from validation.language import Language

SHARES = ("share_granted", "default_rate_granted", "recall", "accuracy")
MEASURES = {
    "auc": 4,
    "gini": 4,
    "ks": 4,
    "brier": 4,
    "log_loss": 4,
    "business_score": 4,
    "cost_per_1000": 0,
}
NAMED = 12  # levels of a bin that are named; a category may have hundreds
APPROVALS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def card(evidence: Evidence, language: Language) -> Section:
    """Say what the model is, and how good."""
    e, say = evidence, language.say
    scorer, lineage = e.scorer, e.scorer.lineage
    kept_out = language.joined(say(f"attribute:{name}") for name in scorer.policy) or say("none")
    libraries = lineage.get("libraries", {})
    facts = (
        (say("use"), say("use:value")),
        (say("family"), f"{scorer.family} ({e.run.params.get('candidate', '')})"),
        (say("features_read"), language.count(len(scorer.feature_names))),
        (say("kept_out"), kept_out),
        (say("calibration"), language.named("calibration", e.run.params.get("calibration", ""))),
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
    error = language.number(e.metrics["calibration_error"].value, 4)
    rows.append((say("calibration_error"), error))
    for name in ("calibration_slope", "calibration_intercept"):
        rows.append((say(name), language.interval(e.metrics[name], 3)))
    for name in SHARES:
        rows.append((say(name), language.share_interval(e.metrics[name])))
    return section(
        "card",
        language,
        TableBlock(say("model_facts"), (say("property"), say("value")), facts),
        TableBlock(say("performance"), (say("measure"), say("value")), tuple(rows)),
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
            _rarely(c.missing, len(e.y), language),
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
    plots = [plot for number, c in enumerate(e.columns) for plot in _column(c, number, e, language)]
    tables = [
        TableBlock(say("missing_by_table"), (say("table"), say("missing_share")), missing),
        TableBlock(say("univariate"), head, quantiles),
    ]
    if pairs:
        tables.append(TableBlock(say("together"), (say("feature"), say("correlation")), pairs))
    return section("data", language, tables[0], curves.missing(language, e.gaps), *tables[1:], *plots)


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
    return section("ladder", language, TableBlock(say("ladder"), head, rows), **text)


def candidates(evidence: Evidence, language: Language) -> Section:
    """Show all candidates of the comparison."""
    e, say = evidence, language.say
    rows = []
    for one in e.candidates.iter_rows(named=True):
        figures = (
            language.interval(Measured(one[n], one[f"{n}_low"], one[f"{n}_high"]), digits)
            for n, digits in (("auc", 4), ("business_score", 4), ("cost_per_1000", 0))
        )
        error = language.number(one["calibration_error"], 4)
        served = say("yes" if one["can_be_champion"] else "no")
        treatment = language.named("treatment", one["treatment"])
        rows.append((one["candidate"], treatment, *figures, error, served))
    head = tuple(
        say(key)
        for key in (
            "candidate",
            "imbalance",
            "auc",
            "business_score",
            "cost_per_1000",
            "calibration_error",
            "can_be_served",
        )
    )
    alone = (Facts((say("candidates:none"),)),) if len(rows) == 1 else ()
    return section("candidates", language, TableBlock(say("candidates"), head, tuple(rows)), *alone)


def card_of_points(evidence: Evidence, language: Language) -> Section:
    """Show the scorecard among the candidates, bin by bin."""
    card, say = evidence.card, language.say
    if card is None:
        return section("scorecard", language, Facts((say("scorecard:none"),)))
    rows = []
    for line in card.lines:
        rate = say("none") if line.default_rate is None else language.share(line.default_rate)
        points = language.number(line.points, 1, is_signed=True)
        rows.append((label(line.feature, language), _bounds(line, language), rate, points))
    head = tuple(say(key) for key in ("feature", "bin", "default_rate", "points"))
    facts = [say("scorecard:base", base=language.count(card.base), run=card.run_id, smallest=SMALLEST)]
    facts += [] if card.is_exact else [say("scorecard:bent")]
    return section(
        "scorecard", language, TableBlock(say("scorecard"), head, tuple(rows)), Facts(tuple(facts))
    )


def curve(evidence: Evidence, language: Language) -> Section:
    """Show ROC, precision and recall, KS, CAP, gain, calibration, cost."""
    e = evidence
    plots = curves.discrimination(language, e.y, e.raw, e.probability, e.scorer.threshold)
    return section("curves", language, *plots)


def money(evidence: Evidence, language: Language) -> Section:
    """Show what thresholds lead to in money."""
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

    def figures(o: MoneyOutcome) -> tuple[str, ...]:
        threshold = say("none") if o.threshold > 1 else language.number(o.threshold, 4)
        amounts = (language.number(v, 1) for v in (o.expected_loss, o.loss, o.margin, o.profit))
        cost = language.number(o.cost_per_1000, 0)
        return (threshold, language.share(o.share_granted), language.share(o.default_rate), *amounts, cost)

    low, high = float(e.thresholds.min()), float(e.thresholds.max())
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
        TableBlock(say("cutoffs"), (say("cutoff"), *head), cutoffs),
        Facts((say("cutoff:note", low=language.number(low, 4), high=language.number(high, 4)),)),
        TableBlock(say("approvals"), (say("granted"), *head), approvals),
        *curves.strategy(language, e.strategy, e.cutoffs),
        TableBlock(say("scenarios"), (say("lgd"), say("margin"), *head), scenarios),
        **text,
    )


def importance(evidence: Evidence, language: Language) -> Section:
    """Show which features weigh most."""
    weights = {name: evidence.scorer.importance[name] for name in evidence.important}
    plot: Plot = curves.importance(language, weights, {n: label(n, language) for n in weights})
    return section("importance", language, plot)


def section(name: str, language: Language, *blocks: TableBlock | Plot | Facts, **text: object) -> Section:
    """Return a section; ``text`` fills the places of its words."""
    return Section(name, language.say(name), language.say(f"{name}:text", **text), blocks)


def label(name: str, language: Language) -> str:
    """Return a feature's label."""
    return say(declared.FEATURE_BY_NAME[name].label, language.code)


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


def _rarely(share: float, n: int, language: Language) -> str:
    """Write a share of all applications, but none of so few of them that they could be told."""
    least = SMALLEST / n
    return f"< {language.share(least)}" if 0 < share < least else language.share(share)


def _column(column: ColumnSummary, number: int, e: Evidence, language: Language) -> list[Plot]:
    """Draw a column alone, good against bad, and the default rate along it."""
    feature, drawn = declared.FEATURE_BY_NAME[column.name], []
    name = label(column.name, language)
    if column.shape is not None:
        values = [in_words(feature, value, language.code) for value in column.shape.values]
        caption = language.say("plot:shape" if column.shape.edges else "plot:values", name=name)
        drawn.append(curves.distribution(language, column.shape, number, caption, feature.unit, values))
    if len(column.bins) > 1:
        names = [_bin(column, part, language) for part in column.bins]
        caption = language.say("plot:column", name=name)
        drawn.append(curves.column(language, column, number, caption, names, float(e.y.mean())))
    return drawn


def _bounds(line: CardLine, language: Language) -> str:
    """Name a bin of the scorecard in words."""
    feature, say = declared.FEATURE_BY_NAME[line.feature], language.say
    if line.is_missing:
        return say("missing")
    if line.levels:
        named = language.joined(in_words(feature, level, language.code) for level in line.levels[:NAMED])
        more = len(line.levels) - NAMED
        return named if more <= 0 else say("and_more", levels=named, number=language.count(more))
    low, high = (
        None if edge is None else _value(line.feature, edge, language) for edge in (line.low, line.high)
    )
    if low is None:
        return say("everything") if high is None else say("below", high=high)
    return say("from", low=low) if high is None else say("from_below", low=low, high=high)


def _bin(column: ColumnSummary, part: Bin, language: Language) -> str:
    """Name a bin in words."""
    if part.is_missing:
        return language.say("missing")
    feature = declared.FEATURE_BY_NAME[column.name]
    if part.level is not None:
        return in_words(feature, part.level, language.code)
    if part.high is not None:
        return language.say("up_to", high=_value(column.name, part.high, language))
    if part.low is not None:
        return language.say("above", low=_value(column.name, part.low, language))
    return language.say("everything")
