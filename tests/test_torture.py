"""The torture in seconds: its catalogue, its draws against the middleware, its bookkeeping, its bad wire."""

import json
import random
import re
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given

from scoring import features
from scoring.schema import HISTORY
from scoring.serving.problem import Rejection
from scoring.serving.reading import parse
from tests.support.asgi import DECODER
from tests.support.laws import tried
from tests.support.stand_in import StandIn, serving
from tests.torture import arrow_tables, bad, inputs, report, wires
from tests.torture.__main__ import main
from tests.torture.arrow import READ
from tests.torture.proxy import Proxy, pressed
from tests.torture.rows import ROWS
from tests.torture.run import Figure, Result, Row, Run
from ui.clients import Clients
from ui.handlers import Handlers
from ui.service import Service

ROOT = Path(__file__).parent.parent
DIES_AT_7 = """
import os, signal, sys
first, count = int(sys.argv[1]), int(sys.argv[2])
if first == 7:
    os.kill(os.getpid(), signal.SIGSEGV)
print('{"decided": %d}' % count)
"""


def refused(body: bytes) -> Rejection | None:
    try:
        parse(body, 10_000, DECODER)
    except Rejection as rejection:
        return rejection
    return None


def test_every_bad_input_of_the_catalogue_is_refused_by_the_path_of_its_field():
    catalogue = bad.catalogue()
    assert len({one.name for one in catalogue}) == len(catalogue) >= 200
    assert {one.field.split("[")[0] for one in catalogue if one.field.startswith("history.")} >= {
        f"history.{table}" for table in HISTORY
    }
    for one in catalogue:
        if one.headers != bad.JSON:
            continue
        rejection = refused(one.body)
        assert rejection is not None and rejection.status in one.statuses, one.name
        fields = [error.field for error in rejection.errors]
        if rejection.status == 422 and one.field:
            assert fields if one.field == "?" else one.field in fields, (one.name, fields)


inputs.AGGREGATES[:] = sorted(features.HISTORY_FEATURES)


@tried(300)
@given(inputs.bodies())
def test_whatever_is_sent_is_taken_or_refused_and_nothing_else(body):
    rejection = refused(body)
    assert rejection is None or rejection.status in (400, 422)


def test_no_bent_arrow_table_kills_the_process_that_reads_it(tmp_path):
    ends = arrow_tables.attack(0, 400, tmp_path)
    assert not [end for end in ends if end.startswith("failed")], (ends, sorted(tmp_path.iterdir()))
    assert sum(ends.values()) == 400 and sum(ends[end] for end in READ) >= 100 and ends["refused"]


def test_a_table_that_kills_its_reader_is_kept_and_the_next_ones_are_read(tmp_path):
    (tmp_path / "seed").write_text("7")
    (tmp_path / arrow_tables.NAME).write_bytes(b"what was read last")
    ends = arrow_tables.attack(7, 3, tmp_path, [sys.executable, "-c", DIES_AT_7])
    assert ends == {"failed: died with -11": 1, "decided": 2}
    assert (tmp_path / "7.arrow").read_bytes() == b"what was read last"


def test_broken_http_is_drawn_anew_every_time():
    drawn = [wires.noise(random.Random(number), 1) for number in range(200)]
    assert len(set(drawn)) == 200 and all(drawn[:5])


@pytest.mark.parametrize(
    "fault",
    [
        *(
            "nobody listens",
            "cut before the answer",
            "cut within the answer",
            "garbage instead",
            "late answer",
        ),
        *("garbage within", "another program's page", "a gateway's 502", "never an answer"),
    ],
)
def test_a_bad_wire_ends_in_a_sentence_on_the_page(fault, tmp_path):
    upload = tmp_path / "rows.csv"
    upload.write_text("SK_ID_CURR,AMT_CREDIT\n1,100000\n")
    server: StandIn
    with serving() as server, Proxy(server.server_port) as proxy:
        proxy.fault = fault
        service = Service(f"http://127.0.0.1:{proxy.port}", patience_s=0.3)
        for state, press in pressed(Handlers("fr", service, Clients(None)), upload):
            assert any(isinstance(part, str) and part.strip() for part in press().values()), state
        service.close()


def test_a_figure_is_met_or_not_by_its_target(tmp_path):
    run = Run(tmp_path)
    run.figure("lost", 0, "requests", "= 0")
    run.figure("sent", 1_200, "requests", ">= 50,000")
    run.figure("time", 3.0, "s", "<= 3")
    run.figure("shown", 7, "s")
    run.figure("not measured", None, "s", "<= 3")
    assert [figure.met for figure in run.figures] == [True, False, True, None, False]


def test_a_row_at_less_than_its_counts_says_so():
    row = Row("load", "It bears the load", lambda _: None, 1)
    figure = Figure("requests", 12, "requests", ">= 10", True, "9", "a note")
    whole, part = (
        Result("load", scale, "2026-11-21T08:00:00Z", 1.0, "abc", "ours", [figure]) for scale in (1, 0.1)
    )
    assert "at 0.1 of the counts" in report.table([row], {"load": part})
    assert "of the counts" not in report.table([row], {"load": whole})
    assert "not run yet" in report.table([row], {})


def test_a_row_says_on_which_commit_and_day_it_ran():
    row = Row("load", "It bears the load", lambda _: None, 1)
    figures = [Figure("slope of memory", -0.0, "MB/h", "<= 1", True)]
    result = Result("load", 1, "2026-11-21T08:00:00Z", 1.0, "abc-dirty", "ours", figures)
    text = report.table([row], {"load": result})
    assert text.startswith("Run on 2026-11-21; model served: ours.")
    assert "(`load`; 2026-11-21, `abc-dirty`) | slope of memory | ≤ 1 MB/h | 0 MB/h |  | kept |" in text


def test_the_example_of_the_command_names_rows():
    example = re.search(r"Example: python -m tests\.torture ([a-z ]+) --scale", main.__doc__)
    assert set(example[1].split()) <= ROWS.keys()


def test_the_table_of_promises_is_whole():
    promised = re.search(r"tries to break (\d+) promises", (ROOT / "CHANGELOG.md").read_text())
    assert int(promised[1]) == len(ROWS)
    document = (ROOT / "RELIABILITY.md").read_text()
    assert document.count(report.BEGIN) == document.count(report.END) == 1
    figures = ROOT / "reliability.json"
    records = json.loads(figures.read_text()) if figures.is_file() else []
    for record in records:
        assert record.keys() >= {"name", "figure", "unit", "target", "met", "command", "revision", "date"}
        assert re.fullmatch(r"python -m tests\.torture [a-z]+", record["command"])


def test_what_the_documents_hold_is_read_back_as_it_was_written(tmp_path, monkeypatch):
    for name in ("RELIABILITY.md", "reliability.json"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    report.write(ROWS.values(), report.earlier(ROWS.values()))
    written = [(tmp_path / name).read_text() for name in ("RELIABILITY.md", "reliability.json")]
    report.write(ROWS.values(), report.earlier(ROWS.values()))
    assert [(tmp_path / name).read_text() for name in ("RELIABILITY.md", "reliability.json")] == written
    assert len(report.earlier(ROWS.values())) >= 20
