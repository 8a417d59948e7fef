"""What a result depends on: the data, the code, the libraries, and the memory that it took."""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVING = ("lightgbm", "mlflow", "numpy", "pandas", "polars", "pydantic")  # what a logged model needs
LIBRARIES = (*SERVING, "scikit-learn", "optuna")  # of every training; a family may need more


def data_sha256(path: Path) -> str:
    """Return the hash of a portfolio: of the file, or of the names and hashes of the files in the folder."""
    if path.is_file():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.suffix in (".csv", ".parquet"))
    listing = "".join(f"{data_sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def code_sha256() -> str:
    """Return the hash of the code that trains."""
    files = sorted([*(ROOT / "scoring").rglob("*.py"), *(ROOT / "training").rglob("*.py"), ROOT / "train.py"])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def git_revision() -> str:
    """Return the revision of this code, ``+changes`` if it was edited since, or ``unknown``."""

    def git(*words: str) -> str:
        asked = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return asked.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def libraries(more: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of what a training, or one of its candidates, computes with.

    Raises
    ------
    ValueError
        If one of them is not installed, with the remedy.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    found = {"python": python}
    for name in (*LIBRARIES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise ValueError(
                f"this comparison needs {name}, which is not installed: make setup GROUP=compare."
            ) from None
    return found


def peak_memory_mib() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
