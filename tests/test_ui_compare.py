"""A client among others, and the owner's screen: what the service counts, drawn and said, and nobody else."""

import re
from html import unescape

import pytest

from scoring.language import MINUS, compact
from tests.support.stand_in import DESCRIPTION, OWNER, StandIn, serving
from ui import place, plots
from ui.clients import Clients
from ui.handlers import Handlers
from ui.house import House
from ui.people import Person
from ui.service import Service


@pytest.fixture(scope="module")
def server():
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
def page(server: StandIn):
    server.compared.clear()
    return lambda lang="en": Handlers(lang, Service(server.url), Clients(None), House())


def seen(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


def rows(html: str, of: str) -> list[list[str]]:
    """The cells of the tables of a class, row by row, without the heads."""
    tables = re.findall(rf'<table class="{of}">(.*?)</table>', html, re.S)
    bodies = [body for table in tables for body in re.findall("<tr[^>]*>(.*?)</tr>", table, re.S)]
    return [[seen(cell) for cell in re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in bodies]


def test_a_client_is_placed_among_all_and_among_similar_ones_at_once(page, server) -> None:
    html = page().go({"at": "compare/new"})["comparison"]
    asked = sorted((one.get("among", ""), one["fact"]) for one in server.compared)
    assert asked == [("", "AMT_CREDIT"), ("all", "score"), ("neighbours", "score")]
    assert "All applications" in seen(html) and "Nearest neighbours" in seen(html)
    assert html.count('class="plot histogram"') == 2


def test_the_bars_are_the_counts_as_shares_granted_and_refused_apart(page) -> None:
    html = page().go({"at": "compare/new?fact=EXT_SOURCE_2&among=all"})["comparison"]
    first, own, last = rows(html, "bars")[1:]  # nobody lacks the value: that bin is left out
    assert first == ["up to 0.3", "17%", "75%", "75%"]
    assert own == ["0.3 to 400K this application", "33%", "12%", "20%"]
    assert last[0] == "above 400K"


def test_levels_are_bars_beside_their_names(page) -> None:
    desk = page("fr")
    known = desk.service.model().facts
    desk.service.model = lambda _tag=None: type(desk.service.known)(
        known | {"features": [*known["features"], {"name": "NAME_CONTRACT_TYPE", "label": {"fr": "Type"},
                 "group": "request", "compared": True, "importance": 1}]}
    )  # fmt: skip
    html = desk.go({"at": "compare/new?fact=NAME_CONTRACT_TYPE&among=all"})["comparison"]
    assert "histogram" not in html
    assert rows(html, "bars")[1][0] == "Prêt personnel"


def test_two_facts_are_a_grid_with_the_clients_own_cell(page) -> None:
    html = page().go({"at": "compare/new?fact=EXT_SOURCE_2&beside=AMT_CREDIT"})["comparison"]
    assert "External score 2 against amount of the loan" in seen(html)
    cells = rows(html, "grid")[2:]
    assert cells[0][1] == "75%" and len(cells) == 4
    assert "this application" in cells[1][2]
    assert html.count(' own"') == 1, "one cell is the client's"


def test_the_curve_has_the_threshold_the_client_and_every_value_as_a_table(page) -> None:
    html = page().go({"at": "compare/new?curve=AMT_CREDIT"})["comparison"]
    assert "What moves along: external score 2." in seen(html)
    lines = html.partition('class="plot lines"')[2]
    assert "threshold 9.1%" in seen(lines) and "513,000" in seen(lines)
    assert re.findall(r'<th scope="row">([^<]*)</th>', lines) == ["100K", "500K", "513K", "2M"]


def test_what_is_compared_has_the_edits_that_the_browser_keeps(page) -> None:
    html = page().go({"at": "compare/new?curve=AMT_CREDIT", "AMT_CREDIT": "700,000"})["comparison"]
    assert "Amount of the loan: 513,000 → 700,000" in seen(html)
    assert "700K" in seen(html)


@pytest.mark.parametrize("query", ["fact=age", "fact=nothing", "among=somebody", "curve=age", "beside=score"])
def test_what_the_service_does_not_compare_is_not_asked(page, server, query: str) -> None:
    page().go({"at": f"compare/new?{query}"})
    assert [one for one in server.compared if "beside" in one] == []
    assert {one["fact"] for one in server.compared} == {"score", "AMT_CREDIT"}


def test_without_a_client_or_with_an_unknown_one_the_tab_says_so(page) -> None:
    assert "Open a client first" in page().go({"at": "compare"})["comparison"]
    assert "No portfolio is at hand" in page().go({"at": "compare/7"})["comparison"]
    assert place.read("compare/100001?fact=score").kind == place.COMPARE


def test_a_verdict_leads_to_the_comparison_of_each_reason(page) -> None:
    html = page().open_new()["result"]
    assert 'href="compare/new"' in html
    assert 'href="compare/new?fact=EXT_SOURCE_2"' in html


def test_the_ledger_sets_this_decision_beside_all_of_them(page) -> None:
    html = page().open_new()["result"]
    found = {row[0]: row[1:] for row in rows(html, "bars two")[1:]}
    assert [row[1] for row in found.values()] == ["33%"] * 3
    assert sum(int(row[0].rstrip("%")) for row in found.values()) == pytest.approx(100, abs=1)


def test_the_owner_sees_each_threshold_and_the_one_in_force(page) -> None:
    html = page().load()["model"]
    assert "What another threshold would do" in seen(html)
    assert "Granted 70.0% in force: 70.0%" in seen(html)
    assert '["600", "512", "580"]' in unescape(html)
    assert "The cheapest threshold there is 9.1%." in seen(html)


def test_the_owner_sees_each_group_beside_the_one_that_is_granted_most(page) -> None:
    html = page().load()["model"]
    assert rows(html, "parity")[1:] == [["Woman", "70.0%", "100%", "70.0%"], ["Man", "56.0%", "80%", "56.0%"]]
    assert '["40%", "70%", "90%"]' in unescape(html), "the least favoured group, at each threshold"


def test_a_key_without_the_role_sees_the_card_and_not_the_strategy(page, server) -> None:
    server.is_closed = True
    try:
        html = page().load()["model"]
    finally:
        server.is_closed = False
    assert "keys with the role “owner”" in seen(html) and DESCRIPTION["model"] in html


def test_supervisors_see_what_the_monitor_says_and_officers_do_not(page) -> None:
    html = page().load()["model"]
    assert "What the monitor says Next: mend the source." in seen(html)
    for fact in ("Drift", "Nov 28, 2026", "AMT_CREDIT Its values are multiplied by 2.", "12 of 900", "3.4"):
        assert f"<dd>{fact}</dd>" in html
    assert rows(html, "judged")[1:] == [
        ["Nov 29, 2026 (so far)", "No drift", "900", "10.0%", "–"],
        ["Nov 28, 2026", "Drift", "900", "10.0%", "AMT_CREDIT"],
        ["Nov 23, 2026 to Nov 29, 2026", "Drift", "900", "10.0%", "AMT_CREDIT"],
    ]
    officer = page().of(Person("ada", "officer")).load()["model"]
    assert "What the monitor says" not in officer
    french = page("fr").load()["model"]
    assert "Ce que dit le moniteur" in french and "Ses valeurs sont multipliées par 2." in french


def test_a_plot_is_drawn_to_scale() -> None:
    line = plots.PlotLine([0.1, 0.4], "p")
    found = plots.line_plot([0.0, 10.0], [line], str, str, level=(0.2, "t"), at=(10.0, "here"))
    top = 1.08 * 0.4
    assert found.paths == [(f"0.00,{100 - 100 * 0.1 / top:.2f} 100.00,{100 - 100 * 0.4 / top:.2f}", "p")]
    assert found.mark is not None
    x, y, words = found.mark
    assert (x, words) == (100.0, "here") and y == pytest.approx(100 - 100 / 1.08)
    assert plots.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0] or len(plots.ticks(0, 1)) <= 6
    assert plots.ticks(3, 3) == []


def test_numbers_beside_an_axis_are_brief_in_each_language() -> None:
    assert [compact(v, "en") for v in (0.2284, 12, 1_350_000, -148_000)] == [
        "0.228", "12", "1.35M", f"{MINUS}148K"]  # fmt: skip
    assert compact(1_350_000, "fr") == "1,35\u00a0M"
    assert OWNER["threshold"] in [cut["threshold"] for cut in OWNER["cuts"]]
