"""The project's own modules: what each imports and takes from the others."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def modules() -> dict[str, ast.Module]:
    """Every module of the project by its dotted name; tests are not part of the house."""
    packages = ("scoring", "training", "ui", "monitoring", "validation")
    files = [*ROOT.glob("*.py"), *(file for package in packages for file in (ROOT / package).rglob("*.py"))]
    return {
        ".".join(f.relative_to(ROOT).with_suffix("").parts): ast.parse(f.read_text(), str(f))
        for f in sorted(files)
    }


MODULES = modules()
NAMED = {name.removesuffix(".__init__"): tree for name, tree in MODULES.items()}
OURS = {"scoring"} | {name.split(".")[0] for name in MODULES}


def used(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every name that a module takes from one of ours: from it, or as an attribute of it."""
    held: dict[str, str] = {}  # the name in this module -> ours
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in NAMED and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in NAMED:
                    held[alias.asname or alias.name] = inner
                else:
                    yield node.module, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in held:
            yield held[node.value.id], node.attr


def is_defined(module: str, name: str) -> bool:
    """Whether a module binds a name, or another module lies in it."""
    if f"{module}.{name}" in NAMED:
        return True
    return any(
        name in (getattr(node, "name", None), getattr(node, "asname", None), getattr(node, "id", None))
        for node in ast.walk(NAMED[module])
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
            yield from inner if base == "scoring" else [base, *(name for name in inner if name in NAMED)]


IMPORTS = {name: sorted(set(imports(tree, name))) for name, tree in MODULES.items()}
EDGES = sorted(
    (name, target) for name, targets in IMPORTS.items() for target in targets if target.split(".")[0] in OURS
)
