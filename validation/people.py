"""The sections of the pack about people: reasons, fairness, stability, limits, clauses."""

from __future__ import annotations

from scoring.evidence.alternatives import TOLERANCE, Alternative
from scoring.evidence.fairness import Audit, Group
from validation import curves
from validation.blocks import Facts, Plot, Section, Table
from validation.clauses import CLAUSES
from validation.evidence import Evidence
from validation.language import Language
from validation.sections import label, refit, refit_head, section

LIMITS = ("alone", "never", "population", "granted", "time", "money", "sample", "proxy")


def reasons(evidence: Evidence, language: Language) -> Section:
    """Show whether the reasons hold."""
    e, say, share = evidence, language.say, language.share
    lines = []
    if e.agreement is None:
        lines.append(say("reason:lime:none"))
    else:
        a = e.agreement
        lines.append(
            say(
                "reason:lime",
                n=a.applications,
                r=language.number(a.rank_correlation, 2),
                sign=share(a.same_sign, 0),
                shared=share(a.shared, 0),
            )
        )
    if e.verified is None:
        lines.append(say("reason:none"))
    else:
        v = e.verified
        lines.append(
            say(
                "reason:verified",
                reasons=language.count(v.reasons),
                n=language.count(v.applications),
                fell=share(v.fell),
                ranks=", ".join(share(rank) for rank in v.fell_by_rank),
                fall=language.number(v.median_fall, 3),
                granted=share(v.granted_then, 0),
            )
        )
    if e.stable is not None:
        s = e.stable
        lines.append(
            say(
                "reason:stable",
                refits=s.refits,
                first=share(s.same_first, 0),
                n=language.count(s.applications),
                shared=share(s.shared, 0),
            )
        )
    return section("reasons", language, Facts(tuple(lines)))


def fairness(evidence: Evidence, language: Language) -> Section:
    """Show how decisions fall on groups, what exclusions cost, and what else was tried."""
    e, say = evidence, language.say
    blocks: list[Table | Plot | Facts] = []
    for audit in e.audits:
        blocks += _audit(audit, language)
    if e.hidden:
        blocks.append(Facts(tuple(say("fair:none", attribute=say(f"attribute:{n}")) for n in e.hidden)))
    prices = tuple((_policy(one.variant.name, language), *refit(one, language)) for one in e.exclusions)
    blocks.append(Table(say("prices"), (say("excluded"), *refit_head(language)), prices))
    if e.alternatives:
        blocks += _search(e, language)
    return section("fairness", language, *blocks)


def stability(evidence: Evidence, language: Language) -> Section:
    """Show whether the model holds."""
    e, say = evidence, language.say
    blocks: list[Table | Plot | Facts] = []
    if e.later is None:
        blocks.append(Facts((say("stable:none"),)))
    else:
        found = e.later.found
        telling = ", ".join(f"{label(n, language)} ({language.share(s, 0)})" for n, s in found.telling[:5])
        n = language.count(e.later.applications)
        blocks.append(Facts((say("stable:later", n=n, auc=language.number(found.auc), telling=telling),)))
        rows = tuple(
            (
                str(part.number),
                language.count(part.applications),
                language.share(part.default_rate),
                language.share(part.forecast),
                language.interval(part.auc),
                language.interval(part.cost_per_1000, 0),
            )
            for part in e.later.slices
        )
        keys = ("fifth", "applications", "default_rate", "forecast", "auc", "cost_per_1000")
        blocks.append(Table(say("fifths"), tuple(say(key) for key in keys), rows))
    s = e.spread
    blocks.append(
        Facts(
            (
                say(
                    "seeds",
                    n=len(s.auc),
                    auc=_range(s.auc, 4, language),
                    cost=_range(s.cost_per_1000, 0, language),
                    same=language.share(s.same_decision),
                    gap=language.number(s.probability_gap, 4),
                ),
            )
        )
    )
    return section("stability", language, *blocks)


def limits(evidence: Evidence, language: Language) -> Section:
    """Say what the model is not for."""
    notes = [f"{language.say('notice')}: {sentence}" for sentence in evidence.notices]
    return section("limits", language, Facts((*(language.say(f"limit:{key}") for key in LIMITS), *notes)))


def clauses(sections: list[Section], language: Language) -> Section:
    """Map each clause to the sections that answer it."""
    titles = {section.name: section.title for section in sections}
    is_english = language.code == "en"
    rows = tuple(
        (
            c.name_en if is_english else c.name_fr,
            c.asks_en if is_english else c.asks_fr,
            ", ".join(titles[name] for name in c.sections),
        )
        for c in CLAUSES
    )
    head = (language.say("clause"), language.say("asks"), language.say("where"))
    return section("clauses", language, Table(language.say("clauses"), head, rows))


def _audit(audit: Audit, language: Language) -> list[Table | Plot | Facts]:
    say, share = language.say, language.share
    attribute = say(f"attribute:{audit.attribute}")

    def row(group: Group) -> tuple[str, ...]:
        name = language.named("group", group.name)
        is_reference = group.name == audit.reference
        granted = language.share_interval(group.granted)
        return (
            say("reference", name=name) if is_reference else name,
            language.count(group.applications),
            granted,
            say("none") if is_reference else language.interval(group.ratio),
            say("none") if is_reference else language.interval(group.gap, 3, is_signed=True),
            share(group.default_rate),
            share(group.forecast),
            language.interval(group.calibration, 3, is_signed=True),
        )

    keys = (
        "group",
        "applications",
        "granted",
        "ratio",
        "gap",
        "default_rate",
        "forecast",
        "group_calibration",
    )
    table = Table(
        say("at_cutoff", attribute=attribute),
        tuple(say(key) for key in keys),
        tuple(row(group) for group in audit.groups),
    )
    at, anywhere = audit.worst_anywhere
    lines = [
        say(
            "fair:worst",
            attribute=attribute,
            ratio=language.interval(audit.worst),
            anywhere=language.interval(anywhere),
            granted=share(at, 0),
            gap=language.interval(audit.widest, 3, is_signed=True),
        )
    ]
    if audit.hidden:
        lines.append(say("fair:hidden", attribute=attribute, hidden=audit.hidden))
    return [table, Facts(tuple(lines)), curves.fairness(language, audit)]


def _search(e: Evidence, language: Language) -> list[Table | Plot | Facts]:
    say = language.say
    attributes = list(e.alternatives[0].ratios)

    def row(one: Alternative) -> tuple[str, ...]:
        ratios = (language.interval(one.ratios[a]) if a in one.ratios else say("none") for a in attributes)
        affordable = say("yes" if one.is_affordable else "no")
        figures = (language.number(one.refit.auc, 4), language.number(one.refit.cost, 0))
        return (_variant(one.refit.variant.name, language), *figures, *ratios, affordable)

    worst = (say("worst_ratio", attribute=say(f"attribute:{a}")) for a in attributes)
    head = (say("alternative"), say("auc"), say("cost_per_1000"), *worst, say("affordable"))
    found = (
        say("fair:chosen", name=_variant(e.chosen.refit.variant.name, language))
        if e.chosen
        else say("fair:not_found")
    )
    tried = say(
        "fair:search",
        n=len(e.alternatives),
        rows=language.count(e.size.rows),
        granted=language.share(e.metrics["share_granted"].value),
        tolerance=language.share(TOLERANCE, 0),
    )
    table = Table(say("alternatives"), head, tuple(row(one) for one in e.alternatives))
    return [table, Facts((tried, found))]


def _policy(name: str, language: Language) -> str:
    if name == "nothing":
        return language.say("excluded:nothing")
    return ", ".join(language.say(f"attribute:{one}") for one in name.split(" + "))


def _variant(name: str, language: Language) -> str:
    """Name a model that was tried."""
    kind, _, rest = name.partition(":")
    attribute, _, number = rest.partition(":")
    said = language.say(f"attribute:{attribute}") if attribute else ""
    return language.say(f"variant:{kind}", attribute=said, number=number)


def _range(values: tuple[float, ...], digits: int, language: Language) -> str:
    low, high = language.number(min(values), digits), language.number(max(values), digits)
    return f"{low} {language.say('to')} {high}"
