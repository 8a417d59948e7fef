"""The report as one page: no script, no network, small enough to send, in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from html import escape
from importlib.resources import files

from monitoring.judgement import Judgement
from monitoring.realised import WithInterval
from monitoring.rejections import DAYS
from monitoring.report import DRIFT, Report, evidently, headline, lines, named
from monitoring.segments import Segment
from monitoring.statistic import FLOOR
from monitoring.windows import LENGTHS, Window
from monitoring.words import Said, days, say
from scoring import language
from scoring.language import ENGLISH, languages, name_of, percent

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
TREND, LATEST = 30, 7  # windows that are shown, and those that are not folded away
FEWEST = 12  # windows that fill a picture
WINDOW_HEADS = ("window", "verdict", "decisions", "refused", "evidence", "first")
WORDS = frozenset(  # columns of no numbers
    {"part", "moved", "verdict", "first", "trend", "quarters", "client", "column", "fault"}
)
MOST_REJECTED = 50  # rows of a table
WIDTH, HEIGHT = 720, 90  # of the picture of windows, in units of its own
SPARK = (120, 24)  # of that of a part


def file_name(code: str) -> str:
    """Return the name of the page in a language."""
    return "report.html" if code == ENGLISH else f"report.{code}.html"


def page(report: Report, code: str) -> str:
    """Return the page in a language as one HTML file."""
    title = escape(say("title", code, model=report.model or ""))
    style = (files("monitoring") / "page.css").read_text(encoding="utf-8")
    tag = code.replace("_", "-")
    return (
        f'<!doctype html><html lang="{tag}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head><body>{_languages(code)}"
        f"<header><p>{title}</p>{_verdict(report, code)}</header><main>{_origins(report, code)}"
        f"{_windows(report, code)}{_parts(report, code)}{_ended(report, code)}{_audited(report, code)}"
        f"{_rejected(report, code)}{_unseen(report, code)}{_notes(report, code)}{_rule(code)}"
        "</main></body></html>\n"
    )


def heading(code: str = ENGLISH) -> str:
    """Return what stands above Evidently's own report, as HTML."""
    words, back = escape(say("attachment", code)), file_name(code)
    return f'<p style="font: 16px system-ui; padding: 1rem">{words} <a href="{back}">{back}</a></p>'


def _languages(code: str) -> str:
    others = [other for other in languages() if other != code]
    links = "".join(
        f'<a href="{file_name(other)}" lang="{other.replace("_", "-")}">{escape(name_of(other))}</a> '
        for other in others
    )
    return f"<nav>{links}</nav>" if links else ""


def _verdict(report: Report, code: str) -> str:
    kind = "drift" if report.code == DRIFT else "calm" if report.code == 0 else "unknown"
    said = _paragraphs(report.lead(), code)
    done = f'<p class="next">{escape(report.next()(code))}</p>'
    return f'<h1 class="{kind}">{escape(headline(report, code))}</h1>{_facts(report, code)}{done}{said}'


def _paragraphs(said: Iterable[Said], code: str) -> str:
    return "".join(f"<p>{escape(one(code))}</p>" for one in said)


def _facts(report: Report, code: str) -> str:
    """Return since when, the first cause, what it changed and what it costs, to be seen at once."""
    found: list[tuple[str, str]] = []
    if report.code == DRIFT and report.standing.since is not None:
        found.append((say("since_fact", code), report.standing.since.isoformat()))
    if report.code == DRIFT and report.causes and report.judgement and report.judgement.groups:
        first = report.judgement.groups[0].origin
        for cause in (one for one in report.causes if one.origin == first):
            found.append((first, cause.said(code)))
            if cause.rows:
                changed = say("share_fact", code, n=cause.changed, rows=cause.rows)
                found.append((say("changed_fact", code), changed))
            if cause.cost is not None:
                found.append((say("cost_fact", code), language.in_digits(cause.cost, code, 3)))
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in found)
    return f"<dl>{cells}</dl>" if cells else ""


def _origins(report: Report, code: str) -> str:
    parts = []
    for group in report.judgement.groups if report.judgement else ():
        first, *others = lines(group, report.causes)
        body = "".join(f"<li>{escape(one(code))}</li>" for one in others)
        parts.append(f"<section><h2>{escape(first(code))}</h2><ul>{body}</ul></section>")
    return "".join(parts)


def _parts(report: Report, code: str) -> str:
    judgement = report.judgement
    if judgement is None or not judgement.parts:
        return ""
    of = report.windows.get(report.standing.window.length if report.standing.window else "", ())
    heads = ("part", "decisions", "refused", "expected", "ratio", "moved", "trend")
    head = _head(heads, code)
    rows = "".join(
        _part(part, [window.judgement for window in of[-TREND:]], code) for part in judgement.parts
    )
    return (
        f"<section><h2>{escape(say('parts', code))}</h2><p>{escape(say('parts_rule', code))}</p>"
        f'<table class="parts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _part(part: Segment, judgements: Sequence[Judgement], code: str) -> str:
    ratio = ""
    if part.ratio is not None and part.usual_ratio is not None:
        ratio = _beside(code, *(language.number(one, code, 2) for one in (part.ratio, part.usual_ratio)))
    cells = (
        part.name(code),
        language.number(part.rows, code),
        _beside(code, *(percent(one, code, 1) for one in (part.refused / part.rows, part.usual_refused))),
        _beside(code, *(percent(one, code, 1) for one in (part.expected, part.usual_expected))),
        ratio,
        ", ".join(part.moved),
    )
    shares = [
        one.refused / one.rows
        for judgement in judgements
        for one in judgement.parts
        if (one.column, one.value) == (part.column, part.value)
    ]
    body = _cells(cells, ("part", "decisions", "refused", "expected", "ratio", "moved"))
    kind = "drift" if part.is_drift else "calm"
    return f'<tr class="{kind}">{body}<td>{_line(shares, part.usual_refused, code)}</td></tr>'


def _beside(code: str, now: str, usual: str) -> str:
    return say("beside", code, word=now, other_word=usual)


def _line(shares: Sequence[float], usual: float, code: str) -> str:
    """Draw shares window by window, that of the reference as a dashed line."""
    if len(shares) < 2:
        return ""
    low, high = min(*shares, usual), max(*shares, usual)
    step, scale = SPARK[0] / (len(shares) - 1), (SPARK[1] - 4) / max(high - low, 0.01)
    points = " ".join(
        f"{n * step:.1f},{SPARK[1] - 2 - (one - low) * scale:.1f}" for n, one in enumerate(shares)
    )
    y = SPARK[1] - 2 - (usual - low) * scale
    label = escape(
        f"{say('column_trend', code)}: {percent(shares[0], code, 1)} \u2192 {percent(shares[-1], code, 1)}"
    )
    return (
        f'<svg class="spark" viewBox="0 0 {SPARK[0]} {SPARK[1]}" role="img" aria-label="{label}">'
        f'<polyline points="{points}"/><line x1="0" x2="{SPARK[0]}" y1="{y:.1f}" y2="{y:.1f}"/></svg>'
    )


def _windows(report: Report, code: str) -> str:
    parts = []
    for length, windows in report.windows.items():
        if len(windows) < 2 or length not in ("day", "week"):
            continue
        shown = windows[-TREND:]
        rows = [_row(window, code) for window in reversed(shown)]
        head = _head(WINDOW_HEADS, code)
        tables = [
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(some)}</tbody></table>"
            for some in (rows[:LATEST], rows[LATEST:])
        ]
        older = ""
        if len(rows) > LATEST:
            words = escape(say("earlier", code, n=len(rows) - LATEST))
            older = f"<details><summary>{words}</summary>{tables[1]}</details>"
        parts.append(
            f"<h3>{escape(say(f'windows_{length}', code))}</h3>{_bars(shown, code)}{tables[0]}{older}"
        )
    return f"<section><h2>{escape(say('windows', code))}</h2>{''.join(parts)}</section>" if parts else ""


def _ended(report: Report, code: str) -> str:
    found, judgement = report.realised, report.judgement
    said = _paragraphs(report.of_outcomes(), code) if judgement is not None and judgement.rows else ""
    if not said:
        return ""
    opened = f"<section><h2>{escape(say('outcomes', code))}</h2>{said}"
    if found is None or not found.whole.known:
        return f"{opened}</section>"

    def interval(one: WithInterval | None, write: Callable[[float], str]) -> str:
        if one is None:
            return ""
        return say("interval", code, word=write(one.value), **{"from": write(one.low), "to": write(one.high)})

    def share(value: float) -> str:
        return percent(value, code, 1)

    def digits(value: float) -> str:
        return language.number(value, code, 3)

    def whole(value: float) -> str:
        return language.number(value, code)

    vintages = [
        (
            one.start.isoformat(),
            language.number(one.granted, code),
            language.number(one.known, code),
            interval(one.rate, share),
            "" if one.expected is None else share(one.expected),
            interval(one.auc, digits),
            interval(one.cost, whole),
        )
        for one in found.vintages
    ]
    rolls = [
        (str(one.days), language.number(one.good, code), interval(one.rate, share)) for one in found.rolls
    ]
    heads = ("vintage", "decisions", "known", "defaulted", "expected", "auc", "cost")
    return (
        f"{opened}<h3>{escape(say('vintages', code))}</h3>{_table(heads, vintages, code)}"
        f"<h3>{escape(say('rolls', code))}</h3>{_table(('age', 'good', 'rolled'), rolls, code)}</section>"
    )


def _audited(report: Report, code: str) -> str:
    if not report.audited:
        return ""
    rows = []
    for group in report.audited:
        ratios = [group.ratio] if group.usual_ratio is None else [group.ratio, group.usual_ratio]
        written = [language.number(one, code, 2) for one in ratios]
        rows.append(
            (
                group.name(code),
                language.number(group.decisions, code),
                percent(group.granted.value, code, 1),
                _beside(code, *written) if len(written) > 1 else written[0],
                percent(group.expected, code, 1),
                "" if group.defaulted is None else percent(group.defaulted.value, code, 1),
                " → ".join(language.number(one, code, 2) for _, one in group.by_quarter[-4:]),
            )
        )
    heads = ("part", "decisions", "granted", "ratio", "expected", "defaulted", "quarters")
    return f"<section><h2>{escape(say('audited', code))}</h2>{_table(heads, rows, code)}</section>"


def _rejected(report: Report, code: str) -> str:
    found = report.rejected.rows
    if not found:
        return ""
    rule = say("rejected_rule", code, days=days(DAYS, code))
    rows = [(client or "–", column, fault, language.number(n, code)) for (client, column, fault), n in found]
    table = _table(("client", "column", "fault", "requests"), rows[:MOST_REJECTED], code)
    return f"<section><h2>{escape(say('rejected', code))}</h2><p>{escape(rule)}</p>{table}</section>"


def _unseen(report: Report, code: str) -> str:
    said = _paragraphs(report.limits.said(), code) if report.limits is not None else ""
    return f"<section><h2>{escape(say('unseen', code))}</h2>{said}</section>" if said else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], code: str) -> str:
    body = "".join(f"<tr>{_cells(row, heads)}</tr>" for row in rows)
    return f"<table><thead><tr>{_head(heads, code)}</tr></thead><tbody>{body}</tbody></table>"


def _head(heads: Sequence[str], code: str) -> str:
    words = (escape(say(f"column_{name}", code)) for name in heads)
    return "".join(f"<th{_align(name)}>{word}</th>" for name, word in zip(heads, words, strict=True))


def _cells(row: Sequence[str], heads: Sequence[str]) -> str:
    return "".join(f"<td{_align(name)}>{escape(cell)}</td>" for name, cell in zip(heads, row, strict=True))


def _align(head: str) -> str:
    """Return how a column is set: words and dates to the left, numbers to the right."""
    if head in ("window", "vintage", "verdict"):
        return f' class="{"verdict" if head == "verdict" else "whole"}"'
    return "" if head in WORDS else ' class="n"'


def _row(window: Window, code: str) -> str:
    found = window.judgement
    share = percent(found.refused / found.rows, code, 1) if found.rows else ""
    verdict = Said(word_of(window))(code)
    span = window.start.isoformat()
    if window.days != LENGTHS.get(window.length):  # type: ignore[call-overload]
        span = f"{span} \u2013 {(window.end - timedelta(days=1)).isoformat()}"
    label = span + ("" if window.is_closed else f" ({say('window_open', code)})")
    first = found.groups[0].origin if found.groups else ""
    evidence = percent(found.strongest / found.limit, code) if found.is_judged else ""
    cells = (label, verdict, language.number(found.rows, code), share, evidence, first)
    return f'<tr class="{_kind(window)}">{_cells(cells, WINDOW_HEADS)}</tr>'


def word_of(window: Window) -> str:
    """Return the name of the verdict on a window."""
    if window.judgement.is_drift or window.judgement.alarms:
        return "drift"
    return "no_drift" if window.judgement.is_judged else "not_enough"


def _kind(window: Window) -> str:
    return {"drift": "drift", "no_drift": "calm", "not_enough": "unknown"}[word_of(window)]


def _bars(windows: Sequence[Window], code: str) -> str:
    """Draw the strongest evidence of each window as a bar, what chance allows as a line."""
    step, most = WIDTH / max(len(windows), FEWEST), 3.0  # times what chance allows: beyond it a bar ends
    bars = []
    for number, window in enumerate(windows):
        found = window.judgement
        ratio = min(found.strongest / found.limit, most) if found.is_judged else 0.0
        height = max(ratio / most * HEIGHT, 1.0)
        label = f"{named(window)(code)}: {Said(word_of(window))(code)}"
        bars.append(
            f'<rect class="{_kind(window)}" x="{number * step + 2:.1f}" y="{HEIGHT - height:.1f}" '
            f'width="{step - 4:.1f}" height="{height:.1f}"><title>{escape(label)}</title></rect>'
        )
    line = HEIGHT * (1 - 1 / most)
    label = escape(say("bars_rule", code))
    first, last = windows[0].start.isoformat(), windows[-1].start.isoformat()
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{"".join(bars)}'
        f'<line x1="0" x2="{WIDTH}" y1="{line:.1f}" y2="{line:.1f}"/></svg>'
        f"<figcaption>{first} → {last}. {label}</figcaption></figure>"
    )


def _notes(report: Report, code: str) -> str:
    said = [note(code) for note in report.notes]
    if report.evidently is not None:
        said.insert(0, evidently(report.evidently)(code))
    items = "".join(f"<li>{escape(one)}</li>" for one in said)
    words = escape(say("again", code))
    again = f"<p>{words}<br><code>{escape(report.again)}</code></p>" if report.again else ""
    link = '<p><a href="evidently.html">Evidently</a></p>' if report.evidently is not None else ""
    listed = f"<ul>{items}</ul>" if items else ""
    body = f"{listed}{link}{again}"
    return f'<section class="notes">{body}</section>' if body else ""


def _rule(code: str) -> str:
    words = escape(say("rule", code, floor=language.in_digits(FLOOR, code)))
    return f"<details><summary>{escape(say('rule_title', code))}</summary><p>{words}</p></details>"
