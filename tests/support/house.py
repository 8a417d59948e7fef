"""The project's own modules: what each imports and takes from the others."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


PACKAGES = ("scoring", "training", "ui", "monitoring", "validation")
FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file
    for file in sorted([*ROOT.glob("*.py"), *(f for name in PACKAGES for f in (ROOT / name).rglob("*.py"))])
}
NAMES = {name.removesuffix(".__init__") for name in FILES}
OURS = {"scoring"} | {name.split(".")[0] for name in FILES}


@cache  # when a test first asks: it takes two seconds, and every process of a run lists the tests
def modules() -> dict[str, ast.Module]:
    """Every module of the project by its dotted name; tests are not part of the house."""
    return {name: ast.parse(file.read_text(), str(file)) for name, file in FILES.items()}


def used(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every name that a module takes from one of ours: from it, or as an attribute of it."""
    held: dict[str, str] = {}  # the name in this module -> ours
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in NAMES and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in NAMES:
                    held[alias.asname or alias.name] = inner
                else:
                    yield node.module, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in held:
            yield held[node.value.id], node.attr


def is_defined(module: str, name: str) -> bool:
    """Whether a module binds a name, or another module lies in it."""
    if f"{module}.{name}" in NAMES:
        return True
    tree = modules().get(module) or modules()[f"{module}.__init__"]
    return any(
        name in (getattr(node, "name", None), getattr(node, "asname", None), getattr(node, "id", None))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.alias | ast.Name)
    )


def room(module: str) -> str:
    """`scoring.features.bureau` lies in `scoring.features`, `ui.form` in `ui`."""
    parts = module.removesuffix(".__init__").removesuffix(".__main__").split(".")
    return ".".join(parts[:2]) if parts[0] == "scoring" else parts[0]


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of all that is imported, wherever it stands, functions and type checks included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: -node.level] if node.level else []
            base = ".".join([*up, *filter(None, [node.module])])
            # `from scoring import schema` names a room; `from scoring.schema import Column` does not
            inner = [f"{base}.{alias.name}" for alias in node.names]
            yield from inner if base == "scoring" else [base, *(name for name in inner if name in NAMES)]


@cache
def imported() -> dict[str, list[str]]:
    """What each module imports, by its name."""
    return {name: sorted(set(imports(tree, name))) for name, tree in modules().items()}


@cache
def edges() -> list[tuple[str, str]]:
    """Each import of ours by ours: who imports, and what."""
    return sorted((a, b) for a, found in imported().items() for b in found if b.split(".")[0] in OURS)
