"""The report as one page: no script, no network, small enough to send, in every language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from monitoring.judgement import Judgement
from monitoring.realised import WithInterval
from monitoring.report import DRIFT, Report, evidently, headline, lines, named
from monitoring.segments import Segment
from monitoring.statistic import FLOOR
from monitoring.windows import Window
from monitoring.words import Said, say
from scoring import language
from scoring.language import ENGLISH, languages, name_of, percent

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
TREND = 30  # windows that are shown
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
        f"{_parts(report, code)}{_windows(report, code)}{_ended(report, code)}"
        f"{_audited(report, code)}"
        f"{_notes(report, code)}{_rule(code)}</main></body></html>\n"
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
    said = "".join(f"<p>{escape(one(code))}</p>" for one in report.lead())
    said += f"<p><code>{escape(report.again)}</code></p>" if report.again else ""
    return f'<h1 class="{kind}">{escape(headline(report, code))}</h1>{said}'


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
    head = "".join(f"<th>{escape(say(f'column_{name}', code))}</th>" for name in heads)
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
        ratio = _beside(code, *(language.in_digits(one, code, 3) for one in (part.ratio, part.usual_ratio)))
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
    body = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
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
        rows = "".join(_row(window, code) for window in reversed(shown))
        heads = ("window", "decisions", "refused", "evidence", "verdict", "first")
        head = "".join(f"<th>{escape(say(f'column_{name}', code))}</th>" for name in heads)
        parts.append(
            f"<h3>{escape(say(f'windows_{length}', code))}</h3>{_bars(shown, code)}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )
    return f"<section><h2>{escape(say('windows', code))}</h2>{''.join(parts)}</section>" if parts else ""


def _ended(report: Report, code: str) -> str:
    found = report.realised
    if found is None or not found.whole.known:
        return ""

    def interval(one: WithInterval | None, write: Callable[[float], str]) -> str:
        if one is None:
            return ""
        return say("interval", code, word=write(one.value), **{"from": write(one.low), "to": write(one.high)})

    def share(value: float) -> str:
        return percent(value, code, 1)

    def digits(value: float) -> str:
        return language.in_digits(value, code, 3)

    vintages = [
        (
            one.start.isoformat(),
            language.number(one.granted, code),
            language.number(one.known, code),
            interval(one.rate, share),
            "" if one.expected is None else share(one.expected),
            interval(one.auc, digits),
            interval(one.cost, digits),
        )
        for one in found.vintages
    ]
    rolls = [
        (str(one.days), language.number(one.good, code), interval(one.rate, share)) for one in found.rolls
    ]
    heads = ("vintage", "decisions", "known", "defaulted", "expected", "auc", "cost")
    return (
        f"<section><h2>{escape(say('vintages', code))}</h2>{_table(heads, vintages, code)}"
        f"<h3>{escape(say('rolls', code))}</h3>{_table(('age', 'good', 'rolled'), rolls, code)}</section>"
    )


def _audited(report: Report, code: str) -> str:
    if not report.audited:
        return ""
    rows = []
    for group in report.audited:
        ratios = [group.ratio] if group.usual_ratio is None else [group.ratio, group.usual_ratio]
        written = [language.in_digits(one, code, 3) for one in ratios]
        rows.append(
            (
                group.name(code),
                language.number(group.decisions, code),
                percent(group.granted.value, code, 1),
                _beside(code, *written) if len(written) > 1 else written[0],
                percent(group.expected, code, 1),
                "" if group.defaulted is None else percent(group.defaulted.value, code, 1),
                " → ".join(language.in_digits(one, code, 3) for _, one in group.by_quarter[-4:]),
            )
        )
    heads = ("part", "decisions", "granted", "ratio", "expected", "defaulted", "ratio")
    return f"<section><h2>{escape(say('audited', code))}</h2>{_table(heads, rows, code)}</section>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], code: str) -> str:
    head = "".join(f"<th>{escape(say(f'column_{name}', code))}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(window: Window, code: str) -> str:
    found = window.judgement
    share = percent(found.refused / found.rows, code, 1) if found.rows else ""
    verdict = Said(_word(window))(code)
    label = named(window)(code) + ("" if window.is_closed else f" ({say('window_open', code)})")
    first = found.groups[0].origin if found.groups else ""
    evidence = percent(found.strongest / found.limit, code) if found.is_judged else ""
    cells = (label, language.number(found.rows, code), share, evidence, verdict, first)
    return f'<tr class="{_kind(window)}">' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _word(window: Window) -> str:
    if window.judgement.is_drift or window.judgement.alarms:
        return "drift"
    return "no_drift" if window.judgement.is_judged else "not_enough"


def _kind(window: Window) -> str:
    return {"drift": "drift", "no_drift": "calm", "not_enough": "unknown"}[_word(window)]


def _bars(windows: Sequence[Window], code: str) -> str:
    """Draw the strongest evidence of each window as a bar, what chance allows as a line."""
    step, most = WIDTH / TREND, 3.0  # times what chance allows: beyond it a bar ends
    bars = []
    for number, window in enumerate(windows):
        found = window.judgement
        ratio = min(found.strongest / found.limit, most) if found.is_judged else 0.0
        height = max(ratio / most * HEIGHT, 1.0)
        label = f"{named(window)(code)}: {Said(_word(window))(code)}"
        bars.append(
            f'<rect class="{_kind(window)}" x="{number * step + 2:.1f}" y="{HEIGHT - height:.1f}" '
            f'width="{step - 4:.1f}" height="{height:.1f}"><title>{escape(label)}</title></rect>'
        )
    line = HEIGHT * (1 - 1 / most)
    label = escape(say("column_evidence", code))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(bars)}'
        f'<line x1="0" x2="{WIDTH}" y1="{line:.1f}" y2="{line:.1f}"/></svg>'
    )


def _notes(report: Report, code: str) -> str:
    said = [note(code) for note in report.notes]
    if report.evidently is not None:
        said.insert(0, evidently(report.evidently)(code))
    items = "".join(f"<li>{escape(one)}</li>" for one in said)
    link = '<p><a href="evidently.html">Evidently</a></p>' if report.evidently is not None else ""
    return f'<section class="notes"><ul>{items}</ul>{link}</section>' if items else ""


def _rule(code: str) -> str:
    words = escape(say("rule", code, floor=language.in_digits(FLOOR, code)))
    return f"<details><summary>{escape(say('rule_title', code))}</summary><p>{words}</p></details>"
