"""The documents: what they tell a reader to type exists, and what they point at is there.

``python -m tests.tutorial`` runs the tutorial itself.
"""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.tutorial import blocks

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
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


@pytest.mark.parametrize("line", list(lines()))
def test_each_command_of_a_document_is_one_with_these_options(line):
    words = shlex.split(line, comments=True)
    programs = [name for name in REFERENCE.COMMANDS if line.startswith(f"{name} ") or line == name]
    if not programs and words[2].startswith(("scoring.", "deploy.", "benchmarks", "tests")):
        assert importlib.util.find_spec(words[2])  # a writer of a document, a benchmark
        return
    (program,) = programs
    command, rest = REFERENCE.command_of(REFERENCE.COMMANDS[program]), words[len(program.split()) :]
    while parts := getattr(command, "commands", None):
        assert rest[0] in parts
        command, rest = parts[rest[0]], rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert given <= known | {"--help"}


def test_the_reference_of_commands_is_what_the_programs_say():
    assert (ROOT / "docs" / "COMMANDS.md").read_text(encoding="utf-8") == REFERENCE.document()


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
