"""The house: imports go down, each foreign library has one door, nothing unpickles, libraries are silent."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest
import yaml

from deploy import group
from tests.support.house import (
    OURS,
    ROOT,
    edges,
    imported,
    imports,
    is_defined,
    modules,
    room,
    used,
)

# From the ground up; a room stands on those named before it, and may import no other.
FLOORS = {
    "foundation": [
        *(
            "scoring.regular",
            "scoring.settings",
            "scoring.language",
            "scoring.problems",
            "scoring.schema",
            "scoring.decision",
            "scoring.metrics",
            "scoring.engine",
        ),
        *("scoring.options", "scoring.spreadsheet", "scoring.store", "scoring.download"),
    ],
    "tables": ["scoring.tables", "scoring.synthetic"],
    "features": ["scoring.features", "scoring.extension"],
    "model": [
        "scoring.scorer",
        "scoring.explanation",
        "scoring.judge",
        "scoring.counterfactual",
        "scoring.comparison",
        "scoring.proof",
        "scoring.trial",
    ],
    "record": ["scoring.inference_log", "scoring.decisions", "scoring.outcomes", "scoring.replay"],
    "decide": ["scoring.decider", "scoring.portfolio"],
    "HTTP": ["scoring.serving", "scoring.client", "scoring.hosting"],
    "programs": ["service", "training", "train", "import_model", "ui", "monitoring", "validation", "run"],
}
# A branch that stands on the model and what is below: who trains imports it, nothing that serves.
LEARNING = ["scoring.candidates", "scoring.evaluation", "scoring.evidence", "scoring.assembly"]
LEARNERS = {"training", "train", "validation"}
ORDER = [room for rooms in FLOORS.values() for room in rooms]
ALLOWED = {room: set(ORDER[:place]) for place, room in enumerate(ORDER)}
ALLOWED |= {
    room: ALLOWED["scoring.inference_log"] | set(LEARNING[:place]) for place, room in enumerate(LEARNING)
}
for learner in LEARNERS:
    ALLOWED[learner] |= set(LEARNING)
# A client asks from afar: neither model nor record, and of the service no more than they say to each other.
ALLOWED["scoring.client"] -= {*FLOORS["model"], *FLOORS["record"], *FLOORS["decide"]}
WIRE = {"scoring.serving", "scoring.serving.media"}

# Who may import what. A room stands for everything inside it. What is not here or in FREE is closed to all.
COMMAND_LINES = {
    *FLOORS["programs"],
    "scoring.options",
    "scoring.tables",
    "scoring.synthetic",
    "scoring.features",
    "scoring.extension",
    "scoring.client",
    "scoring.download",
    "scoring.inference_log",
    "scoring.decisions",
    "scoring.outcomes",
    "scoring.replay",
    "scoring.portfolio",
    "scoring.engine",
    "scoring.language",
}
DOORS = {
    "babel": {"scoring.language"},
    "bentoml": {"service", "import_model", "scoring.hosting", "scoring.serving"},
    "mlflow": {"training"},
    "gradio": {"ui"},
    "evidently": {"monitoring"},
    "scipy": {"monitoring"},
    "fastapi": {"ui"},
    "uvicorn": {"ui", "scoring.serving"},
    "httptools": {"scoring.serving"},
    "pandas": {"train", "training", "import_model", "ui", "monitoring"},
    "sklearn": {"scoring.candidates", "scoring.evaluation"},
    "optuna": {"scoring.candidates"},
    "lightgbm": {"scoring.candidates", "scoring.scorer", "scoring.evidence"},
    "xgboost": {"scoring.candidates"},
    "catboost": {"scoring.candidates"},
    "imblearn": {"scoring.candidates"},
    "optbinning": {"scoring.candidates"},
    "lime": {"scoring.evidence"},
    "shap": {"scoring.evidence"},
    "httpx": {"scoring.client", "scoring.download"},
    "pydantic": {"scoring.schema", "scoring.scorer", "scoring.serving", "service", "import_model"},
    "pydantic_core": {"scoring.schema", "scoring.serving", "scoring.inference_log", "service"},
    "msgspec": {"scoring.schema"},
    "starlette": {"scoring.hosting", "scoring.serving"},
    "prometheus_client": {"scoring.hosting"},
    "sqlalchemy": {"scoring.decisions"},
    "yaml": {"scoring.hosting"},
    "fastexcel": {"scoring.tables"},
    "pyarrow": {
        *("scoring.client", "scoring.serving", "scoring.tables", "scoring.inference_log"),
        "scoring.portfolio",
    },
    "pyspark": {"scoring.portfolio"},
    "matplotlib": {"scoring.evidence"},
    "plotly": {"ui", "monitoring"},
    "jinja2": {"ui", "validation"},
    "markupsafe": {"ui", "validation"},
    "playwright": {"validation"},
    "circus": {"scoring.serving"},
    "typer": COMMAND_LINES,
    "rich": COMMAND_LINES,
}
FREE = {"numpy", "polars", *sys.stdlib_module_names}
# import name -> the distribution that brings it
INSTALLED_BY = {
    "yaml": "pyyaml",
    "pydantic_core": "pydantic",
    "circus": "bentoml",
    "httptools": "uvicorn",
    "prometheus_client": "prometheus-client",
}
BANNED = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


def test_every_room_stands_on_a_floor() -> None:
    homeless = {room(name) for name in modules()} - ALLOWED.keys() - {"scoring"}
    assert not homeless, f"give {homeless} a floor in the design and in FLOORS"
    assert not ALLOWED.keys() - {room(name) for name in modules()}, "a floor names a room that is no more"


ROOF = "scoring"  # the package itself, which holds nothing but how a program is stopped


def test_imports_only_go_down() -> None:
    """To a lower floor, or on the same one to a room that stands before: so no two need each other."""
    climbs = [
        f"{a} imports {b}"
        for a, b in edges()
        if room(a) != room(b) and room(b) not in ALLOWED.get(room(a), set()) and room(b) != ROOF
    ]
    assert not climbs


def test_the_client_knows_only_the_wire_of_the_service() -> None:
    inner = {b for a, b in edges() if room(a) == "scoring.client" and room(b) == "scoring.serving"}
    assert inner <= WIRE


def test_no_two_modules_need_each_other_when_they_are_imported() -> None:
    graph: dict[str, set[str]] = {}
    for name in modules():
        package = name.removesuffix(".__init__")
        for target in top_level_imports(name):
            found = target if target in modules() else f"{target}.__init__"
            if found in modules() and not found.startswith(package + "."):
                graph.setdefault(name, set()).add(found)
    TopologicalSorter(graph).prepare()


def test_what_is_used_of_our_own_modules_is_there() -> None:
    """Benchmarks and proofs run seldom: a name that has moved must not wait for that to be missed."""
    seldom = [f for folder in ("benchmarks", "tests/torture") for f in (ROOT / folder).rglob("*.py")]
    trees = [*modules().values(), *(ast.parse(f.read_text(), str(f)) for f in seldom)]
    missing = {
        f"{module}.{name}" for tree in trees for module, name in used(tree) if not is_defined(module, name)
    }
    assert not missing


def test_each_foreign_library_has_one_door() -> None:
    strays = [
        f"{name} imports {library}"
        for name, targets in imported().items()
        for library in sorted({target.split(".")[0] for target in targets} - OURS - FREE)
        if room(name) not in DOORS.get(library, set())
    ]
    assert not strays, "go through the room that has the middleware, or open one in DOORS"


def test_only_the_one_room_reaches_into_the_libraries_below_the_service() -> None:
    reaching = {
        name
        for name, targets in imported().items()
        for target in targets
        if re.match(r"uvicorn\.|httptools|circus|_bentoml|bentoml\._", target)
    }
    assert not {name for name in reaching if "scoring.serving.private" not in name}


def test_past_the_sixth_a_parameter_is_given_by_name() -> None:
    """Seven values in a row say nothing where they are given; the options of a command never stand so."""
    trains = [
        f"{name}: {node.name}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(
            ".command(" in text or ".callback(" in text for text in map(ast.unparse, node.decorator_list)
        )
        and len([one for one in node.args.posonlyargs + node.args.args if one.arg not in ("self", "cls")]) > 6
    ]
    assert not trains, "put a `*` before the others, or gather them in one value"


def test_nothing_unpickles() -> None:
    hits = [f"{name} imports {t}" for name, ts in imported().items() for t in ts if t.split(".")[0] in BANNED]
    assert not hits


def test_libraries_do_not_print() -> None:
    prints = [
        f"{name}, line {node.lineno}"
        for name, tree in modules().items()
        if not name.endswith("__main__")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints, "a library logs; a command line writes through rich"


def test_no_command_line_draws_a_traceback_of_its_own() -> None:
    """What typer draws would stand where the sentences do: on a full disk, say."""
    drawn = [
        f"{name}, line {node.lineno}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Typer"
        if "pretty_exceptions_enable=False" not in ast.unparse(node)
    ]
    assert not drawn, "give it pretty_exceptions_enable=False"


def top_level_imports(name: str) -> Iterator[str]:
    """What importing a module brings with it at once: not what its functions import later."""
    body = [
        node
        for node in modules()[name].body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from imports(node, name)


def packed_modules() -> set[str]:
    """The modules that the bento holds."""
    include = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    files = [file for pattern in include for file in ROOT.glob(pattern) if file.suffix == ".py"]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}


def served_modules() -> set[str]:
    """The modules that `service.py` and the command lines of its rooms pull in, themselves included."""
    seen, queue = set(), ["service", *(name for name in packed_modules() if name.endswith(".__main__"))]
    while queue:
        name = queue.pop()
        if "." in name:
            queue.append(name.removesuffix(".__init__").rpartition(".")[0])  # its package comes with it
        found = name if name in modules() else f"{name}.__init__"
        if found in modules() and found not in seen:
            seen.add(found)
            # what the service imports later, in a function, is served as well
            needed = (
                imported()[found]
                if found.startswith(("service", "scoring.hosting"))
                else top_level_imports(found)
            )
            queue += [target for target in needed if target.split(".")[0] in OURS]
    return seen


def test_the_service_needs_only_what_the_bento_installs() -> None:
    declared = set(group.asked([*group.PROJECT["dependencies"], *group.GROUPS["serve"]]))
    foreign = {target.split(".")[0] for name in served_modules() for target in top_level_imports(name)}
    needed = {INSTALLED_BY.get(library, library) for library in foreign - OURS - set(sys.stdlib_module_names)}
    missing = needed - declared
    assert not missing, (
        f"{missing}: keep it out of service.py's imports, or add it to pyproject.toml's group serve"
    )


def test_the_bento_holds_only_the_service_and_the_rooms_that_it_needs() -> None:
    build = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    assert build["service"] == "service:CreditScoring"
    assert build["python"]["requirements_txt"] == "requirements-serving.txt"
    packed, served = packed_modules(), served_modules()
    assert served <= packed, "bentofile.yaml leaves out what the service imports"
    assert {room(name) for name in packed} == {room(name) for name in served}, "not needed in the bento"


def test_the_bento_speaks_every_language() -> None:
    include = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    packed = {file for pattern in include for file in ROOT.glob(pattern)}
    assert packed >= set(ROOT.glob("scoring/**/*.po")) != set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from scoring import schema, tables", ["scoring.schema", "scoring.tables"]),
        ("from .base import ratio", ["scoring.features.base"]),
        ("from .. import schema", ["scoring.schema"]),
        ("def f():\n    import mlflow.pyfunc", ["mlflow.pyfunc"]),
    ],
)
def test_no_spelling_of_an_import_escapes(source: str, expected: list[str]) -> None:
    assert list(imports(ast.parse(source), "scoring.features.bureau")) == expected


def test_tests_share_what_stands_in_their_support_and_never_each_other() -> None:
    taken = [
        f"{file.name} imports {name}"
        for file in (ROOT / "tests").rglob("*.py")
        for name in imports(ast.parse(file.read_text()), "tests")
        if any(part.startswith("test_") for part in name.split("."))
    ]
    assert not taken


def test_no_two_public_classes_have_one_name() -> None:
    found = Counter(
        node.name
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, times in found.items() if times > 1]
