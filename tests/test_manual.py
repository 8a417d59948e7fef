"""The documents: what they tell a reader to type exists, and what they point at is there.

``python -m tests.tutorial`` runs the tutorial itself.
"""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from scoring.decision import POINTS, decide
from scoring.schema import Decision, OutcomesRequest, ReviewRequest, ScoreRequest
from tests.tutorial import blocks

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SITE = ROOT / "docs"
MOST_WORDS = 900


def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "deploy" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = reference()


def lines():
    """Every line of every block of commands, continued ones joined, with its document."""
    for document in DOCUMENTS:
        for block in blocks(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith(("python -m ", "python train.py", "python import_model.py")):
                    yield pytest.param(line, id=f"{document.name}: {line[:60]}")


def commands(name, command):
    """Give a command and all its parts, under the names by which they are called."""
    yield name, command
    for part, inner in getattr(command, "commands", {}).items():
        yield from commands(f"{name} {part}", inner)


def programs():
    for name, module in REFERENCE.COMMANDS.items():
        for called, command in commands(name, REFERENCE.command_of(module)):
            yield pytest.param(called, command, id=called)


def tried(line):
    """Assert that a line calls a program by options that it has."""
    words = shlex.split(line, comments=True)
    found = [name for name in REFERENCE.COMMANDS if line.startswith(f"{name} ") or line == name]
    if not found and words[2].startswith(("scoring.", "deploy.", "benchmarks", "tests")):
        assert importlib.util.find_spec(words[2])  # a writer of a document, a benchmark
        return
    (program,) = found
    command, rest = REFERENCE.command_of(REFERENCE.COMMANDS[program]), words[len(program.split()) :]
    while parts := getattr(command, "commands", None):
        if command.invoke_without_command and not (rest and rest[0] in parts):
            break
        assert rest[0] in parts
        command, rest = parts[rest[0]], rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert given <= known | {"--help"}


@pytest.mark.parametrize("line", list(lines()))
def test_each_command_of_a_document_is_one_with_these_options(line):
    tried(line)


@pytest.mark.parametrize(("name", "command"), list(programs()))
def test_the_help_of_each_command_has_an_example_of_this_very_command(name, command):
    said = f"{command.help or ''}\n{command.epilog or ''}"
    examples = re.findall(r"^ *(?:Example: )?`*(python .*?)[`\]]*(?:\[/bold\])?$", said, re.MULTILINE)
    assert examples and all(example.startswith(name) for example in examples), said
    for example in examples:
        tried(example)


@pytest.mark.parametrize("page", [page for page in REFERENCE.PAGES if page != "api"])
def test_a_page_of_the_reference_is_what_the_code_says(page):
    write, name = REFERENCE.PAGES[page]
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == write()


def test_the_reference_of_the_http_api_is_the_openapi_document(tmp_path):
    """In a process of its own: the service is imported, for no model."""
    environment = os.environ | {"BENTOML_HOME": str(tmp_path)}
    command = [sys.executable, "deploy/reference.py", "api"]
    written = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "API.md").read_text(encoding="utf-8") == written.stdout


def test_the_french_tutorial_runs_the_commands_of_the_english_one():
    english, french = (
        blocks((ROOT / "docs" / name).read_text(encoding="utf-8"))
        for name in ("TUTORIAL.md", "fr/PRISE_EN_MAIN.md")
    )
    assert french == english


def curls():
    """Every curl of every document that asks the service, as the words of its command line."""
    for document in DOCUMENTS:
        for block in blocks(document.read_text(encoding="utf-8")):
            for found in re.finditer(r"curl (?:'[^']*'|[^|;)'])*", block.replace("\\\n", " ")):
                words = shlex.split(found[0].split("\ncurl")[0])
                if any(":3000" in word for word in words):
                    yield pytest.param(words, id=f"{document.name}: {' '.join(words)[:60]}")


def asked(words):
    """The method, the path and the body of a curl."""
    (url,) = (word for word in words if ":3000" in word)
    path = re.sub(r"^(http://)?[\w.]+:3000", "", url).split("?")[0]
    path = re.sub(r"^/decisions/[^/]+", "/decisions/{event_id}", path)
    body = words[words.index("-d") + 1] if "-d" in words else None
    return "GET" if body is None else "POST", path, body


@pytest.mark.parametrize("words", list(curls()))
def test_each_curl_of_a_document_asks_an_endpoint_for_what_it_takes(words):
    method, path, body = asked(words)
    assert f"## `{method} {path}`\n" in (ROOT / "docs" / "API.md").read_text(encoding="utf-8")
    if body is not None and not body.startswith("@"):
        kinds: dict[str, type[BaseModel]] = {
            "/decisions/{event_id}/review": ReviewRequest,
            "/outcomes": OutcomesRequest,
        }
        kinds.get(path, ScoreRequest).model_validate_json(body)


def test_the_answer_in_the_readme_is_one_that_the_service_gives():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = json.loads(re.search(r"```json\n(.*?)```", readme, re.DOTALL)[1])
    answer = Decision.model_validate(shown)
    assert list(shown) == list(Decision.model_fields)
    assert [shown["score"]] == POINTS.of([answer.probability_of_default]).tolist()
    assert [answer.decision] == decide([answer.probability_of_default], answer.threshold).tolist()
    assert answer.probability_low < answer.probability_of_default < answer.probability_high


def test_each_target_of_make_in_a_document_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        said = re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
        assert set(said) <= targets | {"setup"}, document.name


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MOST_WORDS


def anchors(document: Path) -> set[str]:
    """The anchors of its titles, as the site makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w]+", "-", title.replace("`", "").lower()).strip("-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_at_is_there(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        # The site has the pages of docs/ alone: a link that leaves them leads nowhere there.
        assert not document.is_relative_to(SITE) or target.is_relative_to(SITE), link
        assert not anchor or anchor in anchors(target), link


def test_the_site_lists_every_document():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def pages(entry):
        if isinstance(entry, str):
            return {entry}
        return set().union(*map(pages, entry.values() if isinstance(entry, dict) else entry))

    assert pages(site["nav"]) == {
        str(file.relative_to(ROOT / "docs")) for file in (ROOT / "docs").rglob("*.md")
    }
