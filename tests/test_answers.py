"""The answer is declared once, and its bytes are a promise: a client reads tomorrow what it reads today."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from scoring.decider import Decider
from scoring.decision import COSTS, POINTS
from scoring.features.checks import DECODER
from scoring.schema import Decision
from scoring.scorer import Scorer
from scoring.scorer.calibration import Affine
from scoring.scorer.certainty import Certainty, ReviewRule
from scoring.scorer.model import Encoding, Linear, Model
from scoring.serving.batches import Batches
from scoring.serving.job import ArrowJob, Job, JsonJob
from scoring.serving.large import ANSWER, Large
from scoring.serving.reading import parse
from tests.support.running import environment, put_in_store

ROOT = Path(__file__).parent.parent
FROZEN = Path(__file__).parent / "answers.json"
APPLICATIONS = [
    {"SK_ID_CURR": 1, "EXT_SOURCE_2": 0.75, "AMT_CREDIT": 250_000.0, "NAME_INCOME_TYPE": "Working"},
    {"SK_ID_CURR": 2, "EXT_SOURCE_2": 0.25, "AMT_CREDIT": 1_000_000.0, "NAME_INCOME_TYPE": "Pensioner"},
    {"SK_ID_CURR": 3, "EXT_SOURCE_2": 0.0625, "NAME_INCOME_TYPE": "Astronaut"},
    {"SK_ID_CURR": 4},
]


def linear() -> Scorer:
    """A scorer made by hand, so that no library's training has a say in its answers."""
    names = ("EXT_SOURCE_2", "AMT_CREDIT", "NAME_INCOME_TYPE")
    function = Linear(
        intercept=-1.0,
        coefficient=np.array([-1.0, 0.5, 0.25]),
        low=np.array([0.0, 0.0, 0.0]),
        high=np.array([1.0, 2e6, 1.0]),
        median=np.array([0.5, 5e5, 0.0]),
        mean=np.array([0.5, 5e5, 0.5]),
        scale=np.array([0.25, 2.5e5, 0.5]),
        missing=np.array([0.5, 0.0, 0.0]),
        missing_share=np.array([0.25, 0.0, 0.0]),
    )
    encoding = Encoding(names, {"NAME_INCOME_TYPE": ("Working", "Pensioner")}, {})
    ranges = {"EXT_SOURCE_2": (0.125, 0.875), "AMT_CREDIT": (45_000.0, 2_000_000.0)}
    usual = {"EXT_SOURCE_2": 0.625, "AMT_CREDIT": 500_000.0, "NAME_INCOME_TYPE": "Working"}
    certainty = Certainty(
        log_odds=(-2.0, 2.0), below=(0.5, 0.75), above=(0.25, 0.5), near=(0.2, 0.3), near_level=0.3,
        most=0.15, odd=2, rules=(ReviewRule("AMT_CREDIT", at_least=1_000_000.0),),
    )  # fmt: skip
    return Scorer(
        Model(encoding, function), Affine(), 0.25, COSTS, POINTS, (), ranges,
        dict.fromkeys(names, 0.0), usual, dict.fromkeys(names, 1.0), certainty=certainty,
    )  # fmt: skip


def answered(scorer: Scorer) -> dict[str, bytes]:
    """Every way to ask for the same decisions."""
    ids = count()
    decider = Decider(
        scorer, "m", clock=lambda: datetime(2026, 11, 21, tzinfo=UTC), new_id=lambda: f"{next(ids):032x}"
    )
    body = json.dumps({"applications": APPLICATIONS}).encode()
    few = Batches(decider)
    job = Job("r", parse(body, 10, DECODER))
    (score,), (why,) = few.answer([job]), few.answer([job], is_explained=True)
    large = Large(decider, 10)
    sink = pa.BufferOutputStream()
    table = pl.DataFrame(APPLICATIONS).to_arrow()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow = large.answer(ArrowJob("r", bytearray(sink.getvalue()), is_json=False, key="k"))
    many = large.answer(JsonJob("r", bytearray(body), is_json=True, key="k", rows=10))
    return {"score": score, "explain": why, "many": many, "arrow": arrow}  # type: ignore[dict-item]


def texts(answers: dict[str, bytes]) -> dict[str, str]:
    """The answers as text, numbers to twelve digits: a processor may round the last bits otherwise."""
    table = pa.ipc.open_stream(answers["arrow"]).read_all()
    said = {name: body.decode() for name, body in answers.items() if name != "arrow"}
    said["arrow"] = f"{ANSWER}\n{json.dumps(table.to_pylist())}"
    return {
        name: re.sub(r"-?\d+\.\d{9,}(e-?\d+)?", lambda found: f"{float(found[0]):.12g}", text)
        for name, text in said.items()
    }


def test_the_bytes_of_an_answer_stay_what_they_are():
    assert texts(answered(linear())) == json.loads(FROZEN.read_text(encoding="utf-8"))


def test_the_readme_shows_every_field_of_a_decision():
    (shown,) = re.findall(r"```json\n(\[\{\"event_id\".*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert [list(row) for row in json.loads(shown)] == [list(Decision.model_fields)]


# --- a new field of the answer: declared in one place, given its value in another ---

DECLARED = """    risk_grade: Literal["A", "B"] = Field(description="How safe, in a letter.", examples=["A"])
    threshold: float"""
SAID = """            "risk_grade": np.where(default < 0.2, "A", "B"),
            "threshold": self"""
OUTPUTS = """
import json
import polars as pl, pyarrow as pa
from pathlib import Path
from scoring.client import Client, score_file
from scoring.client.__main__ import _explanation
from scoring.schema import Decision
from scoring.serving import pages
from tests import test_answers
from tests.support import stand_in, table_server, uploads
from ui import batch, download
import service
from scoring.hosting.front import routes
scorer, applications = test_answers.linear(), test_answers.APPLICATIONS
found = test_answers.answered(scorer)
out = {name: list(json.loads(found[name])[0]) for name in ("score", "explain", "many")}
out["arrow"] = pa.ipc.open_stream(found["arrow"]).schema.names
pl.DataFrame(applications).write_csv("asked.csv")
with table_server.Tables(scorer) as served:
    for suffix in ("csv", "parquet"):
        score_file(Path("asked.csv"), Path(f"answer.{suffix}"), served.url)
out["client's CSV"] = pl.read_csv("answer.csv").columns
out["client's Parquet"] = pl.read_parquet("answer.parquet").columns
out["client's explanations"] = list(_explanation(None))
decided = pl.from_arrow(pa.ipc.open_stream(found["arrow"]).read_all())
scored = uploads.score(batch.read(Path("asked.csv"), "en"), lambda _: decided)
out["page's file"] = pl.read_csv(download.write(scored, Path("page.csv"))).columns
asked = service.CreditScoring.openapi_spec.asdict()
openapi = pages.openapi(asked, "m", routes(service.SETTINGS))["components"]["schemas"]
out["OpenAPI of /score"] = list(openapi["Decision"]["properties"])
out["OpenAPI of /explain"] = list(openapi["Explanation"]["properties"])
with stand_in.serving() as served, Client(served.url) as client:
    out["stand-in"] = list(client.score([applications[0]])[0].model_dump())
print(json.dumps(out))
"""


def outputs(home: Path) -> dict[str, list[str]]:
    """The fields of every output of a copy of the project in which an answer has one more."""
    for name in ("scoring", "ui", "tests", "deploy"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__", "torture"))
    shutil.copy(ROOT / "service.py", home)
    for file, before, after in (
        ("scoring/schema/answers.py", "    threshold: float", DECLARED),
        ("scoring/scorer/__init__.py", '            "threshold": self', SAID),
    ):
        source = (home / file).read_text()
        assert source.count(before) == 1
        (home / file).write_text(source.replace(before, after))
    put_in_store(home / "deploy", home)  # the service asks for the tag of a model, and loads none here
    done = subprocess.run(
        [sys.executable, "-c", OUTPUTS], capture_output=True, text=True, cwd=home, env=environment(home)
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_new_field_is_in_every_output(tmp_path):
    found = outputs(tmp_path)
    assert len(found) == 11
    assert [name for name, fields in found.items() if "risk_grade" not in fields] == []
