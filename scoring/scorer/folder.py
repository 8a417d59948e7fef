"""The folder of a scorer on the disk: written whole, read strictly, each file held to its hash.

What stands in the folder is said by `scoring.scorer`; what scorer.json may say, by
`scoring.scorer.description`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PanicException

from scoring.decision import GRANTED, REFUSED
from scoring.schema import extension
from scoring.scorer import description
from scoring.tables.decisions import COLUMNS

FORMAT = 1
BOOSTER, DESCRIPTION, REFERENCE, EXAMPLES = "booster.txt", "scorer.json", "reference.parquet", "examples.json"
STORED = "model.yaml"  # BentoML's own, beside a scorer in its model store


class ScorerError(ValueError):
    """A folder is no scorer, or the scorer does not fit this code."""


def write_folder(
    folder: Path,
    said: Mapping[str, Any],
    reference: pl.DataFrame,
    examples: Sequence[Mapping[str, Any]],
    booster: str | None,
) -> None:
    """Write the folder of a scorer, all of it or nothing.

    Parameters
    ----------
    folder : Path
        Must not exist.
    said : mapping
        What scorer.json says, but for the hashes: those of the files and its own are added here.
    reference : polars.DataFrame
        Out-of-fold rows in the inference log's columns.
    examples : sequence of mapping
        ``request``, ``probability_of_default`` and ``decision`` of each golden application.
    booster : str or None
        LightGBM's text, if the model is boosted.

    Raises
    ------
    ScorerError
        If the folder exists.
    """
    if folder.exists():
        raise ScorerError(f"{folder} exists already; give the scorer a folder of its own.")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    if booster is not None:
        (draft / BOOSTER).write_text(booster, encoding="utf-8")
    reference.write_parquet(draft / REFERENCE)
    (draft / EXAMPLES).write_text(_json(list(examples)), encoding="utf-8")
    files = {file.name: _sha256(file) for file in sorted(draft.iterdir())}
    described = {**said, "files": files}
    whole = described | {"sha256": own_hash(described)}
    (draft / DESCRIPTION).write_text(_json(whole), encoding="utf-8")
    draft.rename(folder)


def read_description(folder: Path) -> dict[str, Any]:
    """Return what scorer.json says, of a folder that is whole.

    Raises
    ------
    ScorerError
        If a file is missing, changed or one too many, the format or the lender's extension is another one, or
        scorer.json is not as `scoring.scorer.description` says.
    """
    said = _read_json(folder / DESCRIPTION, "give the folder of a scorer")
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise ScorerError(f"{folder / DESCRIPTION} is not of format {FORMAT}; train again with this version.")
    if said.get("sha256") != own_hash(said):
        raise ScorerError(f"{folder / DESCRIPTION} was changed after training; import the model again.")
    if wrong := description.fault(said):
        raise ScorerError(
            f"{folder / DESCRIPTION} does not describe a scorer: {wrong}; import the model again."
        )
    _check_extension(folder, said)
    _check_files(folder, said)
    return said


def named_files(folder: Path) -> list[Path]:
    """Return the files that scorer.json names, itself first, of a scorer which has been read."""
    said = _read_json(folder / DESCRIPTION, "give the folder of a scorer")
    return [folder / name for name in (DESCRIPTION, *sorted(said["files"]))]


def described_sha256(folder: Path) -> str:
    """Return the hash of a scorer which `Scorer.load` has read: of all its files."""
    return str(_read_json(folder / DESCRIPTION, "give the folder of a scorer")["sha256"])


def read_reference(folder: Path) -> pl.DataFrame:
    """Return a scorer's reference: out-of-fold rows in the inference log's columns.

    Raises
    ------
    ScorerError
        If it cannot be read, or lacks one of those columns.
    """
    file = folder / REFERENCE
    try:
        table = pl.read_parquet(file)
    except (Exception, PanicException) as error:  # polars raises a dozen types over what is no Parquet
        raise ScorerError(f"{file} cannot be read: it is not Parquet; import the model again.") from error
    if lacking := [name for name in COLUMNS if name not in table.columns]:
        raise ScorerError(f"{file} lacks the column {lacking[0]!r}; import the model again.")
    return table


def read_examples(folder: Path) -> list[dict[str, Any]]:
    """Return a scorer's golden applications: request, probability of default, decision.

    Raises
    ------
    ScorerError
        If that is not what the file holds.
    """
    file = folder / EXAMPLES
    examples = _read_json(file, "import the model again")
    if not isinstance(examples, list):
        raise ScorerError(f"{file} is no list of examples; import the model again.")
    for number, example in enumerate(examples, start=1):
        if not (
            isinstance(example, dict)
            and isinstance(example.get("request"), dict)
            and type(example.get("probability_of_default")) in (int, float)
            and 0 <= example["probability_of_default"] <= 1
            and example.get("decision") in (GRANTED, REFUSED)
        ):
            raise ScorerError(
                f"{file}: example {number} has no request, probability_of_default and decision; import the "
                "model again."
            )
    return examples


def _check_extension(folder: Path, said: Mapping[str, Any]) -> None:
    """Refuse a scorer of an extension that this process has not, or has in another state."""
    if lacking := extension.difference(said["lineage"].get("extension")):
        raise ScorerError(f"{folder} {lacking}")


def _check_files(folder: Path, said: Mapping[str, Any]) -> None:
    """Refuse a folder that lacks a file, holds another one than was saved, or one that nobody names."""
    whole = {REFERENCE, EXAMPLES} | ({BOOSTER} if said["family"] == "lightgbm" else set())
    if said["files"].keys() != whole:
        raise ScorerError(
            f"{folder / DESCRIPTION} does not name the files {', '.join(sorted(whole))} and no others; "
            "import the model again."
        )
    for name, digest in said["files"].items():
        file = folder / name
        if not file.is_file():
            raise ScorerError(f"{file} is missing; import the model again.")
        if _sha256(file) != digest:
            raise ScorerError(f"{file} was changed after training; import the model again.")
    if strange := sorted({file.name for file in folder.iterdir()} - {DESCRIPTION, STORED, *whole}):
        raise ScorerError(
            f"{folder} holds {strange[0][:80]!r}, which {DESCRIPTION} does not name; take it away, or import "
            "the model again."
        )


def _read_json(file: Path, remedy: str) -> Any:
    """Read strict JSON; all that can be wrong with the file is one error."""
    if not file.is_file():
        raise ScorerError(f"{file.parent} holds no {file.name}; {remedy}.")
    try:
        return json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise ScorerError(f"{file} cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise ScorerError(f"{file} is not JSON: it is nested too deeply; import the model again.") from error
    except ValueError as error:
        raise ScorerError(f"{file} is not JSON: {in_one_line(error)}; import the model again.") from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def in_one_line(error: Exception) -> str:
    """Return an error as the middle of a sentence."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def own_hash(said: Mapping[str, Any]) -> str:
    """Return the hash of what scorer.json says, but for the hash itself."""
    rest = {name: value for name, value in said.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _json(value: object) -> str:
    """Write strict JSON: sorted, indented, no NaN."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
