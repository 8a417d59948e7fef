"""Where BentoML's model store keeps a model: for those who read its files and do not import BentoML."""

from __future__ import annotations

import re
from pathlib import Path

_TAG = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)(?::([A-Za-z0-9_][A-Za-z0-9._-]*))?")


class StoreError(LookupError):
    """The store has no such model."""


def stored(tag: str, store: Path) -> tuple[str, Path]:
    """Return the exact tag of a model and its folder.

    Parameters
    ----------
    tag : str
        ``name:version``; without a version, or with ``latest``, the newest one.
    store : Path
        BentoML's home.

    Raises
    ------
    StoreError
        If the store has no such model.
    """
    if found := _TAG.fullmatch(tag):
        name, version = found[1], found[2] or "latest"
        folder = store / "models" / name
        if version == "latest" and (folder / "latest").is_file():
            version = (folder / "latest").read_text(encoding="utf-8", errors="replace").strip()
        # What the file says is no path: it could lead out of the store.
        if _TAG.fullmatch(f"{name}:{version}") and (folder / version).is_dir():
            return f"{name}:{version}", folder / version
    raise StoreError(
        f"the model store {store} has no model {tag}; set BENTOML_HOME to the service's store, or import the "
        "model again from its MLflow run."
    )
