"""Write the pages of the reference that the code makes: commands, HTTP API, metrics, records of the log.

``python deploy/reference.py > docs/COMMANDS.md``; with `api`, `metrics` or `records` the others.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

COMMANDS = {
    "python train.py": "train",
    "python import_model.py": "import_model",
    "python -m ui": "ui.__main__",
    "python -m ui.users": "ui.users",
    "python -m validation": "validation.__main__",
    "python -m validation.duties": "validation.duties",
    "python -m monitoring": "monitoring.__main__",
    "python -m scoring.client": "scoring.client.__main__",
    "python -m scoring.portfolio": "scoring.portfolio.__main__",
    "python -m scoring.outcomes": "scoring.outcomes",
    "python -m scoring.decisions": "scoring.decisions.__main__",
    "python -m scoring.inference_log": "scoring.inference_log.__main__",
    "python -m scoring.replay": "scoring.replay",
    "python -m scoring.extension": "scoring.extension",
    "python -m scoring.synthetic": "scoring.synthetic.__main__",
    "python -m scoring.engine": "scoring.engine.__main__",
    "python -m scoring.language": "scoring.language.__main__",
}
"""Each program that a user starts, and the module that declares it."""

HEADER = """# Commands

`python deploy/reference.py > docs/COMMANDS.md` writes this page from the programs; each also has
`--help`. They run here after `. .venv/bin/activate; export BENTOML_HOME=$PWD/var/bentoml`.
`make help` lists the targets that set up what these need.
"""


def command_of(module: str) -> Any:
    """Return the command that a module declares as its ``app``: click's, under typer's own copy of it."""
    return typer.main.get_command(importlib.import_module(module).app)


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Give a command, or each of its parts, under the name by which it is called."""
    if parts := getattr(command, "commands", None):
        if command.invoke_without_command:
            yield name, command
        for part, inner in parts.items():
            yield from leaves(f"{name} {part}", inner)
    else:
        yield name, command


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()


def _rows(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        is_option = parameter.param_type_name == "option"
        name = ", ".join(parameter.opts) if is_option else parameter.name.upper()
        default = parameter.default
        is_told = not (callable(default) or default is None or default is False or default in ((), [], ""))
        said = f"`{default}`".replace(f"{ROOT}/", "") if is_told else ""
        variable = f" (`{parameter.envvar}`)" if parameter.envvar else ""
        needed = "required" if parameter.required else said
        words = _plain(getattr(parameter, "help", "")).replace("|", "\\|")
        yield f"| `{name}` | {needed} | {words}{variable} |"


def document() -> str:
    """Return the page."""
    parts = [HEADER]
    for program, module in COMMANDS.items():
        for name, command in leaves(program, command_of(module)):
            words = (command.help or "").replace("\b", "")
            said = [_plain(part) for part in re.split(r"\n\s*\n", words)]
            parts.append(f"\n## `{name}`\n\n" + "\n\n".join(filter(None, said)) + "\n")
            if rows := list(_rows(command)):
                parts.append("\n| | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


# --- the HTTP interface ---

API_HEADER = """# HTTP API

`python deploy/reference.py api > docs/API.md` writes this page from the OpenAPI document, which a running
service gives at `GET /docs.json`, with an example of a request. The columns of an application are its own; an
[extension](OWN_COLUMNS.md) adds to them. Answers that are no decision are [problems](PROBLEMS.md).
"""
PROBES: dict[str, dict[str, Any]] = {
    "/livez": {"summary": "200 while the process lives", "responses": {}},
    "/readyz": {"summary": "200 while decisions can be given", "responses": {}},
    "/healthz": {"summary": "The same as /readyz", "responses": {}},
    "/metrics": {"summary": "[Metrics](METRICS.md) for Prometheus", "responses": {}},
}
"""Endpoints that BentoML describes at more length than they need."""
ENDPOINT = re.compile(r"#/components/schemas/(\w+)")
LONG = 40  # fields of a schema; the columns of the tables have more, and a page of their own


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the service, of whatever model."""
    from scoring.hosting import models
    from scoring.hosting.front import routes
    from scoring.serving import pages

    with tempfile.NamedTemporaryFile("w", encoding="ascii") as chosen:
        chosen.write("credit_scoring:any")  # the document is the same for each model, and none is looked for
        chosen.flush()
        os.environ[models.SERVED] = chosen.name
        import service

    document: Any = service.CreditScoring  # bentoml 1.4.39 gives what its decorator returns no types
    generated = document.openapi_spec.asdict()
    return pages.openapi(generated, "", routes(service.SETTINGS))


def api() -> str:
    """Return the page of the endpoints and of what they take and answer."""
    said = openapi()
    schemas, named = said["components"]["schemas"], ["Problem"]
    parts = [API_HEADER]
    for path, methods in said["paths"].items():
        for method, about in ({"get": PROBES[path]} if path in PROBES else methods).items():
            parts.append(f"\n## `{method.upper()} {path}`\n\n")
            words = [about.get("summary", ""), about.get("description", "")]
            parts.append("\n\n".join(_sentence(word) for word in words if word) + "\n")
            for what, content in _bodies(about):
                found = ENDPOINT.findall(json.dumps(content))
                named += found
                told = ", ".join(f"[{name}](#{name.lower()})" for name in dict.fromkeys(found)) or "free"
                parts.append(f"\n{what}: {told} (`{'`, `'.join(content)}`).\n")
            rows = [
                f"| `{one['name']}` | {one['in']} | {_type(one.get('schema', {}))} "
                f"| {_plain(one.get('description'))} |"
                for one in about.get("parameters", [])
            ]
            if rows:
                parts.append("\n| parameter | in | value | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
            codes = [str(code) for code in about["responses"] if str(code) >= "400"]
            if codes:
                parts.append(f"\nOtherwise {', '.join(codes)}, with a [Problem](#problem).\n")
    parts.append("\n## What is sent and answered\n")
    done: set[str] = set()
    while waiting := [name for name in dict.fromkeys(named) if name not in done]:
        done.add(waiting[0])
        fields = schemas[waiting[0]].get("properties", {})
        named += ENDPOINT.findall(json.dumps(fields))
        parts.append(f"\n### {waiting[0]}\n\n{_sentence(schemas[waiting[0]].get('description', ''))}\n")
        if len(fields) > LONG or all("x-titles" in one for one in fields.values()):
            parts.append("\nThe columns of its table, under their names there: [files](FILES.md).\n")
            fields = {name: one for name, one in fields.items() if "x-titles" not in one}
        rows = [
            f"| `{name}` | {_type(one)} | {_plain(one.get('description') or one.get('title'))} |"
            for name, one in fields.items()
        ]
        if rows:
            parts.append("\n| field | value | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _bodies(about: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if content := about.get("requestBody", {}).get("content"):
        yield "Takes", content
    for code, one in about["responses"].items():
        if str(code).startswith("2") and one and one.get("content"):
            yield f"Answers {code} with", one["content"]


def _sentence(words: str) -> str:
    words = _plain(words)
    return words if not words or words.endswith((".", ":")) else f"{words}."


def _type(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a value may be."""
    if found := ENDPOINT.fullmatch(schema.get("$ref", "")):
        return f"[{found[1]}](#{found[1].lower()})"
    if parts := schema.get("anyOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(map(_type, parts)))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f" {low} to {high}" if None not in (low, high) else f" from {low}" if low is not None else ""
    return f"{schema.get('format') or schema.get('type') or 'any'}{bounds}"


# --- metrics ---

METRICS_HEADER = """# Metrics

`GET /metrics` gives them as Prometheus reads them; `deploy/compose/alerts.yml` watches them, and
[operations](OPERATIONS.md) says what to do. A counter's series ends in `_total`.
`python deploy/reference.py metrics > docs/METRICS.md` writes this page from the code.

## Of this service

| metric | kind | labels | |
|---|---|---|---|
"""
BENTOML_METRICS = """
## Of BentoML

| metric | kind | by | |
|---|---|---|---|
| `bentoml_service_request` | counter | `endpoint`, `http_response_code` | requests that were answered |
| `bentoml_service_request_duration_seconds` | histogram | the same | how long they took |
| `bentoml_service_request_in_progress` | gauge | `endpoint` | requests that are being answered |
"""


def metrics() -> str:
    """Return the page of the metrics, as the modules declare them."""
    rows = []
    for file in sorted((ROOT / "scoring").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
                continue
            kind = call.func.id
            if kind in ("Counter", "Gauge", "Histogram") and len(call.args) > 1:
                name, words, *more = map(ast.literal_eval, call.args)
                labels = ", ".join(f"`{label}`" for label in (more[0] if more else ()))
                rows.append(f"| `{name}` | {kind.lower()} | {labels} | {words} |")
    return METRICS_HEADER + "\n".join(sorted(rows)) + "\n" + BENTOML_METRICS


# --- records of the log ---

RECORDS_HEADER = """# Records of the log

Each line of a log file is a JSON object of one kind. `seq` counts the lines of a file, `prev` is the hash of
the line before, `hash` its own (SHA-256 of all before it): [the record](RECORD.md) says how they are kept.
`python deploy/reference.py records > docs/LOG_RECORDS.md` writes this page from what the code writes.
"""
WORDS = {
    "header": "header: said once, for the records that follow",
    "header.id": "what the records call it by: a hash of the rest",
    "header.model": "exact tag of the model",
    "header.numbers": "names of the inputs that are numbers, in the order of the records' `numbers`",
    "header.categories": "names of the inputs that are words",
    "record.header": "which header has the names of its values",
    "record.event_id": "the decision's number, for life",
    "time": "when it was written, UTC",
    "schema_version": "of this kind of line",
    "probability_of_default": "calibrated probability of default",
    "threshold": "probability from which on a loan is refused",
    "decision": "`granted` or `refused`",
    "audit.applicant": "pseudonym of the client: a keyed hash",
    "audit.request_id": "the request that it was part of",
    "audit.operator": "who asked: the name of a key, or whom a front end named; null where there are no keys",
    "audit.purpose": "`decision`, `preview`, `what-if` or `test`",
    "audit.review": "why a person should look; absent if nobody need",
    "audit.reasons": "features of the reasons that were given; null if none were asked for",
    "numbers": "inputs that are numbers; null where unknown",
    "categories": "inputs that are words",
    "model": "exact tag of the model",
    "table.file": "the Arrow file beside, with a row for each decision",
    "table.sha256": "hash of it, as it was before it was packed",
    "table.rows": "how many decisions",
    "table.events": "what their event ids begin with",
    "table.start": "number of the first of them",
    "review": "rows, from 0, that a person should look at; absent if none",
    "kind": "which kind of note",
    "about": "what is said: see below",
}
NOTES: dict[str, dict[str, str]] = {
    "look-up": {
        "operator": "who looked",
        "request_id": "the request",
        "event_id": "the decision, where one was looked at",
        "applicant": "its client's pseudonym; null where there is no such decision",
        "filter": "what was asked for, where a page was",
        "events": "the decisions on that page",
    },
    "review": {
        "event_id": "the decision",
        "verdict": "`confirmed` or `otherwise`",
        "decision": "what holds now",
        "reason": "why, in words",
        "operator": "who reviewed",
        "request_id": "the request",
    },
    "outcome": {
        "event_id": "the decision",
        "defaulted": "whether the loan had defaulted",
        "observed_on": "when that was so",
        "operator": "who said it",
        "request_id": "the request; absent where a file was loaded",
    },
    "erasure": {
        "erasure": "number of the signed record beside the log that says what was changed",
        "reason": "why",
        "events": "the decisions that were erased",
    },
    "erased": {
        "on": "the day of the erasure",
        "of": "which kind of note stood there; absent for a decision",
        "event_id": "the decision",
        "decision": "`granted` or `refused`",
        "purpose": "what it was asked for",
        "header": "which header had the names of its values",
    },
}
"""Kind of note -> what ``about`` holds, each field with its words."""


def records() -> str:
    """Return the page of the log's records: a line of each kind is written, and its fields are told."""
    from scoring.inference_log import Entry, Note, note
    from scoring.inference_log.record import Header, body
    from scoring.inference_log.table import TableEntry

    moment = datetime(2026, 12, 1, tzinfo=UTC)
    header = Header.of("credit_scoring:TAG", ["EXT_SOURCE_2", "NAME_INCOME_TYPE"], ["NAME_INCOME_TYPE"])
    entry = Entry("EVENT", 1, "REQUEST", 0.2, 0.09, "refused", {}, review=("near_threshold",))
    table = TableEntry(
        "FILE", "HASH", 2, "EVENTS", 0, moment, "credit_scoring:TAG", "REQUEST", None, "test", (1,)
    )
    lines = {
        "A header": ("header", header.body),
        "A decision": ("record", body(entry, header.id, ((0.4,), ("Working",)), "PSEUDONYM", moment)),
        "A table of decisions": ("table", table.body()),
        "A note": ("note", Note("review", moment, {}).body()),
    }
    parts = [RECORDS_HEADER]
    for title, (kind, line) in lines.items():
        rows = [
            f"| `{name}` | {WORDS.get(f'{kind}.{name}') or WORDS[name]} |"
            for name in _names(json.loads(line))
        ]
        parts.append(f"\n## {title}\n\n| field | |\n|---|---|\n" + "\n".join(rows) + "\n")
    for kind in get_args(note.Kind):
        rows = [f"| `about.{name}` | {words} |" for name, words in NOTES[kind].items()]
        parts.append(f"\n### `{kind}`\n\n| field | |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _names(line: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in line.items():
        if isinstance(value, dict) and value:
            yield from _names(value, f"{before}{name}.")
        else:
            yield before + name


PAGES = {
    "commands": (document, "COMMANDS.md"),
    "api": (api, "API.md"),
    "metrics": (metrics, "METRICS.md"),
    "records": (records, "LOG_RECORDS.md"),
}
"""What can be asked for: who writes it, and where it stands in docs/."""

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1] if len(sys.argv) > 1 else "commands"][0]())
