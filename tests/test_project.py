"""The project as a stranger meets it: what is promised is there, and nothing of a workshop machine is."""

import ast
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest

from scoring import settings
from scoring.language import DECLARED
from scoring.language.__main__ import declare
from scoring.settings.__main__ import document, row
from tests.support.house import modules, room, used

ROOT = Path(__file__).parent.parent
LARGEST_BYTES = 1 << 20
FRENCH = {file.name for file in (ROOT / "docs" / "fr").iterdir()}

TOP_LEVEL = [
    *("bentofile.yaml", "service.py", "train.py", "import_model.py", "run.py", "requirements.txt"),
    *("scoring", "ui", "monitoring", "tests", ".github", ".ci"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "pyproject.toml"),
]

# Written apart, so that this file does not find itself.
FOREIGN = {
    "a path of one machine": re.compile(
        r"(?<![\w.:/~-])/(?:work|farm|root|tmp|Users|home/(?!bentoml\b)\w+)" + r"/[\w.]"
    ),
    "a package registry's host": re.compile(
        r"py" + r"pi\.(?:org|python)|python" + r"hosted|anaconda\." + r"(?:org|com)"
    ),
}
SILENCE = {
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "DO_NOT_TRACK": "1",
}


def tracked() -> list[Path]:
    """The files of the repository, those not yet added included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout: the files of the project cannot be told from others")
    return [file for name in listing.stdout.split("\0") if name and (file := ROOT / name).is_file()]


def targets() -> dict[str, str]:
    lines = (ROOT / "Makefile").read_text().splitlines()
    return {found[1]: found[2] for line in lines if (found := re.match(r"([a-z-]+):.*## (.+)", line))}


def documents() -> dict[str, str]:
    """Return the texts that people read, by name."""
    return {file.name: file.read_text(encoding="utf-8") for file in tracked() if file.suffix == ".md"}


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_the_top_level_is_what_the_design_draws(name: str) -> None:
    assert (ROOT / name).exists()


def is_of_an_image(file: Path) -> bool:
    """Tell whether its paths are those inside of a container, which every machine has alike."""
    return "Dockerfile" in file.name or file.is_relative_to(ROOT / "deploy" / "kubernetes")


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_names_a_machine_or_a_registry(what: str) -> None:
    hits = []
    for file in tracked():
        if what == "a path of one machine" and is_of_an_image(file):
            continue
        if file.suffix not in {".png", ".jpg", ".ico", ".arrow", ".zst"}:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if FOREIGN[what].search(line):
                    hits.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not hits, f"{what}: {hits}"


def test_no_file_is_large() -> None:
    assert not [str(file.relative_to(ROOT)) for file in tracked() if file.stat().st_size > LARGEST_BYTES]


def test_no_data_and_no_model_is_kept() -> None:
    # The generator's own tables of parameters are the one exception.
    files = [
        file.relative_to(ROOT) for file in tracked() if not file.is_relative_to(ROOT / "scoring/synthetic")
    ]
    assert not [str(file) for file in files if file.suffix in {".csv", ".parquet", ".zip", ".pkl", ".db"}]


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = (ROOT / "README.md").read_text(encoding="utf-8")[:1_500]
    assert "make run" in opening
    assert "make test" in opening


def test_no_english_text_has_a_space_before_the_percent_sign() -> None:
    declare()
    words = [text.en for text in DECLARED.values()]
    english = [text for name, text in documents().items() if name not in FRENCH]
    assert not re.findall(r".*[\d}]\s%.*", "\n".join([*english, *words]))


def test_whatever_of_scoring_a_document_names_exists() -> None:
    for text in documents().values():
        for name in re.findall(r"(?<![\w./])scoring(?:\.[a-z_]+)+", text):
            assert pkgutil.resolve_name(name.rstrip("."))


def test_every_make_target_in_the_documents_exists() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        named = re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)
        assert set(named) <= targets().keys(), name


def test_every_make_target_is_listed_by_help() -> None:
    # Inside `make test`, a make that is called says which folder it enters.
    asked = ["make", "--no-print-directory", "help"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in listed.splitlines()] == list(targets())


def test_every_make_target_that_runs_a_program_finds_it() -> None:
    recipes = (ROOT / "Makefile").read_text()
    for module in re.findall(r"python -m ([a-z_.]+)", recipes):
        if module.split(".")[0] in {"scoring", "ui", "monitoring", "validation"}:
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    for script in re.findall(r"python ([a-z_]+\.py)", recipes):
        assert (ROOT / script).is_file()


@pytest.mark.parametrize("switch", SILENCE)
def test_telemetry_is_off_in_whatever_make_starts(switch: str) -> None:
    assert f"export {switch} := {SILENCE[switch]}\n" in (ROOT / "Makefile").read_text()


def test_whatever_is_called_like_a_setting_is_one() -> None:
    """In code, tests, documents and workflows: but for what Kubernetes sets."""
    strange = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in tracked()
        for name in re.findall(
            rf"(?<!\w){settings.PREFIX}[A-Z0-9_]*[A-Z0-9]", file.read_text("utf-8", "ignore")
        )
        if name not in settings.DECLARED and not settings.KUBERNETES.fullmatch(name)
    }
    assert not strange


def test_code_reads_a_setting_through_the_list_alone() -> None:
    spelled = [
        f"{module} spells {node.value}"
        for module, tree in modules().items()
        if not module.startswith("scoring.settings.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in settings.DECLARED
    ]
    assert not spelled


def test_each_setting_is_read_by_those_whom_the_list_names() -> None:
    rooms = {
        **{
            "scoring.serving": "service",
            "scoring.hosting": "service",
            "scoring.language": "all",
            "scoring.schema": "all",
            "scoring.extension": "all",
            "scoring.scorer": "all",
            "ui": "page",
        },
        **{"scoring.client": "client", "monitoring": "monitor", "validation": "record"},
        **dict.fromkeys(
            (
                *("scoring.inference_log", "scoring.decisions", "scoring.outcomes", "scoring.replay"),
                "scoring.portfolio",
            ),
            "record",
        ),
    }
    options = {"LogFolder": "LOG", "AnchorsFolder": "LOG_ANCHORS", "KeyFile": "KEY_FILE"}
    readers: dict[str, set[str]] = {name: set() for name in settings.DECLARED}
    for module, tree in modules().items():
        for source, name in used(tree) if module != "scoring.options" else ():
            read = options.get(name, "") if source == "scoring.options" else name
            if source in ("scoring.settings", "scoring.options") and settings.PREFIX + read in readers:
                readers[settings.PREFIX + read].add(rooms[room(module)])
    assert readers == {name: set(setting.readers) for name, setting in settings.DECLARED.items()}


def test_the_documents_state_the_settings_as_they_are_declared() -> None:
    assert (ROOT / "docs" / "SETTINGS.md").read_text("utf-8") == document()
    stated = re.findall(rf"^\| `{settings.PREFIX}.*$", documents()["SERVE.md"], re.MULTILINE)
    assert stated and set(stated) <= {row(setting) for setting in settings.DECLARED.values()}
