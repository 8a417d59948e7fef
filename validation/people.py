"""The sections of the pack about people: reasons, fairness, stability, limits, clauses."""

from __future__ import annotations

from scoring.counterfactual import POLICY
from scoring.evidence.alternatives import TOLERANCE, Alternative
from scoring.evidence.fairness import Audit, AuditGroup
from scoring.language import say
from scoring.metrics import Measured
from validation import curves
from validation.blocks import Facts, Plot, Section, TableBlock
from validation.clauses import CLAUSES
from validation.evidence import Evidence
from validation.language import Language
from validation.sections import label, refit, refit_head, section

LIMITS = ("alone", "never", "population", "granted", "time", "money", "sample", "proxy")


def reasons(evidence: Evidence, language: Language) -> Section:
    """Show whether the reasons hold."""
    e, say, share = evidence, language.say, language.share
    lines = []
    if e.outside is not None:
        o = e.outside
        apart = {n: language.tiny(v) for n, v in (("features", o.features), ("groups", o.groups))}
        points, first = language.number(o.points, 2), share(o.first, 0)
        lines.append(
            say("reason:shap", n=language.count(o.applications), points=points, first=first, **apart)
        )
    if e.agreement is None:
        lines.append(say("reason:lime:none"))
    else:
        a = e.agreement
        lines.append(
            say(
                "reason:lime",
                n=a.applications,
                r=language.interval(a.rank_correlation, 2),
                sign=language.share_interval(a.same_sign, 0),
                shared=language.share_interval(a.shared, 0),
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
                ranks=language.joined(share(rank) for rank in v.fell_by_rank),
                fall=language.number(v.median_fall, 3),
                granted=share(v.granted_then, 0),
            )
        )
    lines += _stable(e, language)
    return section("reasons", language, Facts(tuple(lines)))


def verdict(evidence: Evidence, language: Language) -> Section:
    """Show how sure the verdicts are, what goes to a person, and whether reasons and risk keep their word."""
    e, say, share = evidence, language.say, language.share
    blocks: list[TableBlock | Facts] = []
    if e.reviewed is None or e.scorer.certainty is None:
        blocks.append(Facts((say("verdict:none"),)))
    else:
        r, certainty = e.reviewed, e.scorer.certainty
        blocks.append(
            Facts(
                (
                    say("verdict:interval", width=language.number(r.width, 3), holding=share(r.holding, 0)),
                    say(
                        "verdict:near",
                        low=language.number(certainty.near[0], 3),
                        high=language.number(certainty.near[1], 3),
                        level=share(certainty.near_level, 0),
                        most=share(certainty.most, 0),
                    ),
                )
            )
        )
        rows = tuple(
            (say(f"review:{name}"), share(certainty.shares.get(name, 0.0)), share(found))
            for name, found in r.shares.items()
        )
        head = (say("review:why"), say("review:planned"), say("review:found"))
        blocks.append(TableBlock(say("review:table"), head, rows))
        saved = tuple((share(x, 0), language.number(cost, 2, is_signed=True)) for x, cost in r.saved.items())
        if saved:
            blocks.append(TableBlock(say("review:saved"), (say("review:right"), say("review:each")), saved))
    if e.complete is not None:
        c = e.complete
        line = say(
            "verdict:complete",
            n=language.count(c.applications),
            turned=share(c.turned),
            noted=share(c.noted),
            reasons=language.count(c.reasons),
            fell=share(c.fell),
            outweighed=share(c.outweighed),
            quoted=language.count(c.quoted),
            wrongly=share(c.quoted_for),
        )
        blocks.append(Facts((line,)))
    walked = tuple(
        (
            say(f"way:{one.way}"),
            language.count(one.applications),
            share(one.rose),
            share(one.ended_higher),
            language.number(one.worst, 3),
        )
        for one in e.senses
    )
    if walked:
        columns = tuple(say(f"way:{key}") for key in ("way", "walked", "rose", "higher", "worst"))
        blocks.append(TableBlock(say("way:table"), columns, walked))
    blocks += _recourses(e, language)
    return section("verdict", language, *blocks)


def _recourses(e: Evidence, language: Language) -> list[TableBlock | Facts]:
    """Say what would turn refusals."""
    word, share, found = language.say, language.share, e.recourses
    if found is None:
        return [Facts((word("turn:none"),))]
    said = word(
        "turn:found",
        n=language.count(found.applications),
        turned=share(found.turned),
        held=share(found.held, 0),
    )
    if found.size is None:
        return [Facts((said,))]
    sized = word("turn:size", size=language.number(found.size, 2))
    rows = tuple(
        (say(POLICY[name].title, language.code), share(part, 0)) for name, part in found.by_lever.items()
    )
    return [
        Facts((said, sized)),
        TableBlock(word("turn:table"), (word("turn:lever"), word("turn:moved")), rows),
    ]


def _stable(e: Evidence, language: Language) -> list[str]:
    """Say what refits tell of the applications that they did not learn from."""
    say, s = language.say, e.stable
    if s is None:
        return [say("reason:stable:none")]
    lines = [
        say(
            "reason:stable",
            refits=s.refits,
            rows=language.count(e.size.rows),
            trees=language.count(e.trees),
            n=language.count(s.applications),
            which=say("reason:stable:rest" if e.later is None else "reason:stable:later"),
            first=language.share_interval(s.same_first, 0),
            shared=language.share_interval(s.shared, 0),
        )
    ]
    if s.same_first_between and s.shared_between:
        first, shared = s.same_first_between, s.shared_between
        lines.append(
            say(
                "reason:stable:among",
                first=language.share_interval(first, 0),
                shared=language.share_interval(shared, 0),
            )
        )
    return lines


def fairness(evidence: Evidence, language: Language) -> Section:
    """Show how decisions fall on groups, what exclusions cost, and what else was tried."""
    e, say = evidence, language.say
    blocks: list[TableBlock | Plot | Facts] = []
    for audit in e.audits:
        blocks += _audit(audit, language)
    if e.hidden:
        blocks.append(Facts(tuple(say("fair:none", attribute=say(f"attribute:{n}")) for n in e.hidden)))
    prices = tuple((_policy(one.variant.name, language), *refit(one, language)) for one in e.exclusions)
    blocks.append(TableBlock(say("prices"), (say("excluded"), *refit_head(language)), prices))
    blocks.append(Facts((say("as_fitted"),)))
    if e.alternatives:
        blocks += _search(e, language)
    return section("fairness", language, *blocks)


def stability(evidence: Evidence, language: Language) -> Section:
    """Show whether the model holds."""
    e, say = evidence, language.say
    blocks: list[TableBlock | Plot | Facts] = []
    if e.later is None:
        blocks.append(Facts((say("stable:none"),)))
    else:
        found = e.later.found
        telling = language.joined(
            f"{label(n, language)} ({language.share(s, 0)})" for n, s in found.telling[:5]
        )
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
        blocks.append(TableBlock(say("fifths"), tuple(say(key) for key in keys), rows))
    s = e.spread
    blocks.append(
        Facts(
            (
                say(
                    "seeds",
                    n=len(s.auc),
                    granted=language.share(s.share_granted),
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
    notes = [language.say("notice", text=notice[language.code]) for notice in evidence.notices]
    return section("limits", language, Facts((*(language.say(f"limit:{key}") for key in LIMITS), *notes)))


def clauses(sections: list[Section], language: Language) -> Section:
    """Map each clause to the sections that answer it."""
    titles = {section.name: section.title for section in sections}
    rows = tuple(
        (
            say(clause.name, language.code),
            say(clause.asks, language.code),
            language.joined(titles[name] for name in clause.sections),
        )
        for clause in CLAUSES
    )
    head = (language.say("clause"), language.say("asks"), language.say("where"))
    return section("clauses", language, TableBlock(language.say("clauses"), head, rows))


def _audit(audit: Audit, language: Language) -> list[TableBlock | Plot | Facts]:
    say, share = language.say, language.share
    attribute = say(f"attribute:{audit.attribute}")

    def row(group: AuditGroup) -> tuple[str, ...]:
        name = language.named("group", group.name)
        is_reference, has_no_gap = group.name == audit.reference, group.name == audit.gap_reference
        granted = language.share_interval(group.granted)
        return (
            say("reference", name=name) if is_reference else name,
            language.count(group.applications),
            granted,
            say("none") if is_reference else language.interval(group.ratio),
            say("none") if has_no_gap else language.interval(group.gap, 3, is_signed=True),
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
    table = TableBlock(
        say("at_cutoff", attribute=attribute),
        tuple(say(key) for key in keys),
        tuple(row(group) for group in audit.groups),
    )
    (at, ratio), (gap_at, gap) = audit.worst_anywhere, audit.widest_anywhere
    worst, widest = audit.lowest, audit.furthest
    lines = [
        say(
            "fair:worst",
            attribute=attribute,
            ratio=language.interval(worst.ratio),
            group=language.named("group", worst.name),
            reference=language.named("group", audit.reference),
            anywhere=language.interval(ratio),
            granted=share(at, 0),
        ),
        say(
            "fair:widest",
            attribute=attribute,
            gap=language.interval(widest.gap, 3, is_signed=True),
            group=language.named("group", widest.name),
            reference=language.named("group", audit.gap_reference),
            anywhere=language.interval(gap, 3, is_signed=True),
            granted=share(gap_at, 0),
        ),
        say("fair:spread", attribute=attribute, spread=language.interval(audit.calibration_spread)),
    ]
    if audit.hidden:
        lines.append(say("fair:hidden", attribute=attribute, hidden=audit.hidden))
    return [table, Facts(tuple(lines)), *curves.fairness(language, audit), _by_part(audit, language)]


def _by_part(audit: Audit, language: Language) -> TableBlock:
    """Show the calibration of each group by quintile of the forecast."""
    say = language.say

    def cell(found: Measured | None) -> str:
        return say("none") if found is None else language.interval(found, 3, is_signed=True)

    edges = [language.share(edge) for edge in audit.edges]
    head = (*(say("up_to", high=edge) for edge in edges), say("above", low=edges[-1]))
    rows = tuple(
        (language.named("group", name), *(cell(one) for one in parts))
        for name, parts in audit.calibration.items()
    )
    caption = say("group_parts", attribute=say(f"attribute:{audit.attribute}"))
    return TableBlock(caption, (say("group"), *head), rows)


def _search(e: Evidence, language: Language) -> list[TableBlock | Plot | Facts]:
    say = language.say
    base, *others = e.alternatives
    attributes = list(base.ratios)

    def costs(one: Alternative) -> tuple[str, ...]:
        name = _variant(one.refit.variant.name, language)
        affordable = say("none") if one is base else say("yes" if one.is_affordable else "no")
        return (name, *refit(one.refit, language), affordable)

    def gains(one: Alternative) -> tuple[str, ...]:
        found = (language.interval(one.gains[a], 3, is_signed=True) for a in attributes)
        return (_variant(one.refit.variant.name, language), *found)

    in_force = (_variant(base.refit.variant.name, language), *map(language.interval, base.ratios.values()))
    words = [say(f"attribute:{a}") for a in attributes]
    decisive = min(attributes, key=lambda a: base.ratios[a].value)
    tried = say(
        "fair:search",
        n=len(others),
        rows=language.count(e.size.rows),
        granted=language.share(e.metrics["share_granted"].value),
        tolerance=language.share(TOLERANCE, 0),
        attribute=say(f"attribute:{decisive}"),
    )
    found = (
        say("fair:chosen", name=_variant(e.chosen.refit.variant.name, language))
        if e.chosen
        else say("fair:not_found")
    )
    head = (say("alternative"), *refit_head(language), say("affordable"))
    return [
        TableBlock(say("alternatives"), head, tuple(costs(one) for one in e.alternatives)),
        TableBlock(say("gains"), (say("alternative"), *words), (in_force, *(gains(one) for one in others))),
        Facts((tried, found)),
    ]


def _policy(name: str, language: Language) -> str:
    if name == "nothing":
        return language.say("excluded:nothing")
    return language.joined(language.say(f"attribute:{one}") for one in name.split(" + "))


def _variant(name: str, language: Language) -> str:
    """Name a model that was tried."""
    kind, _, rest = name.partition(":")
    attribute, _, number = rest.partition(":")
    said = language.say(f"attribute:{attribute}") if attribute else ""
    return language.say(f"variant:{kind}", attribute=said, number=number)


def _range(values: tuple[float, ...], digits: int, language: Language) -> str:
    low, high = language.number(min(values), digits), language.number(max(values), digits)
    return f"{low} {language.say('to')} {high}"
