"""Scorer folders with everything wrong that files can have, read in a process that may die of it."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scoring.scorer import BOOSTER, DESCRIPTION, EXAMPLES, REFERENCE
from tests.support import small

ROOT = Path(__file__).parents[2]
BATCH_S = 600.0  # of one process; one input takes 0.1 s
NUMBERS = [
    "-1", "0", "1", "7", "127", "4294967295", "-2147483648", "99999999999", "9223372036854775808",
    "1e308", "-1e308", "1e999", "nan", "inf", "NaN", "Infinity", "", "x", "0x10", "9" * 5_000,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, -1e308, 10**30, 10**400, "", "x", "1", [], [None], {}, {"a": 1},
    [[[]]], ["x"] * 1_000, float("nan"), float("inf"),
]  # fmt: skip


def _unsized(folder: Path) -> None:
    """Let a booster that only LightGBM can read lie about the length of its trees."""
    text = (folder / BOOSTER).read_text()
    text = text.replace("\nfeature_names=", "\naverage_output\nfeature_names=", 1)
    (folder / BOOSTER).write_text(re.sub(r"tree_sizes=\d+", "tree_sizes=7", text))
    small.sign(folder)


def _many(folder: Path) -> None:
    """Let a booster claim a billion scores a row."""
    text = (folder / BOOSTER).read_text()
    (folder / BOOSTER).write_text(
        text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=1000000000", 1)
    )
    small.sign(folder)


DEADLY: dict[str, Callable[[Path], None]] = {"SIGABRT": _unsized, "SIGSEGV": _many}
"""What LightGBM 4.7.0 ends its process over, by the signal."""


@dataclass
class Found:
    """What became of an attack.

    Attributes
    ----------
    tried, read, refused : int
        Inputs; those that made a scorer which could score; those that were a ``ScorerError``.
    left : int
        Inputs of which only LightGBM could say more, which `scoring.trial` asks in a process each.
    sentences : set of str
        Texts of those errors.
    faults : list of str
        What should not be: another exception, a text of several lines, a process that ended.
    """

    tried: int = 0
    read: int = 0
    refused: int = 0
    left: int = 0
    sentences: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def attack(
    whole: Path, kept: Path, seed: int, cases: int, told: Callable[[int], None] = lambda _: None
) -> Found:
    """Change a scorer in many ways, and read each.

    Parameters
    ----------
    whole : Path
        A scorer's folder; it is copied.
    kept : Path
        Where the input stands that a process was reading; what was a fault stays there, by its number.
    seed, cases : int
        Case k of a seed is always the same.
    told : callable
        Called with the number of cases done.
    """
    found, first = Found(), 0
    kept.mkdir(parents=True, exist_ok=True)
    while first < cases:
        command = [
            sys.executable,
            "-m",
            "tests.torture.scorers",
            *map(str, (whole, kept, seed, first, cases)),
        ]
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                if not line.startswith('{"case":'):  # LightGBM writes where it likes
                    continue
                said = json.loads(line)
                first = said["case"] + 1
                found.tried += 1
                found.read += said["outcome"] == "read"
                found.left += said["outcome"] == "left"
                found.refused += said["outcome"] == "refused"
                if said["outcome"] == "refused":
                    found.sentences.add(said["text"])
                if said["outcome"] == "fault":
                    found.faults.append(f"case {said['case']}: {said['text']}")
                told(first)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if first < cases:
            found.faults.append(f"case {first}: its process ended with code {child.returncode}")
            found.tried, first = found.tried + 1, first + 1
    return found


def change(folder: Path, chance: random.Random) -> None:
    """Do one to three things to a scorer's files; mostly sign them, so that the hashes do not tell."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice((_numbers, _numbers, _lines, _described, _described, _described, _bytes, _files))(
            folder, chance
        )
    if chance.random() < 0.9:
        try:
            small.sign(folder)
        except (ValueError, OSError, KeyError, TypeError, AttributeError, RecursionError):
            return  # it is no description any more: that is for the reader to say


def _numbers(folder: Path, chance: random.Random) -> None:
    """Put other numbers into the booster."""
    text = (folder / BOOSTER).read_text(errors="replace")
    places = [found.span() for found in re.finditer(r"(?<![\w.])-?\d[\d.e+-]*", text)]
    for first, end in sorted(
        chance.sample(places, min(len(places), chance.choice((1, 1, 2, 5)))), reverse=True
    ):
        text = text[:first] + chance.choice(NUMBERS) + text[end:]
    (folder / BOOSTER).write_text(text)


def _lines(folder: Path, chance: random.Random) -> None:
    """Drop, double, swap or change whole lines of the booster."""
    lines = (folder / BOOSTER).read_text(errors="replace").split("\n")
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines = lines[:at]
        case 4:
            lines.insert(min(8, len(lines)), chance.choice(("average_output", "is_linear=1", "num_class=3")))
        case _:
            lines[at] = lines[at].partition("=")[0] + "=" + chance.choice(NUMBERS)
    (folder / BOOSTER).write_text("\n".join(lines))


def _described(folder: Path, chance: random.Random) -> None:
    """Put another value somewhere into the description, the examples too."""
    file = folder / chance.choice((DESCRIPTION, DESCRIPTION, DESCRIPTION, EXAMPLES))
    try:
        document = json.loads(file.read_text(errors="replace"))
    except (ValueError, OSError):
        return
    at, place = document, chance.random()
    while isinstance(at, dict | list) and at:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = chance.choice(list(keys))
        if chance.random() < 0.3 or not isinstance(at[key], dict | list) or not at[key]:
            if place < 0.2:
                del at[key]
            elif place < 0.3 and isinstance(at, dict):
                at[chance.choice(("x", "", key * 2))] = at[key]
            elif place < 0.4 and isinstance(at, list):
                at.append(at[key])
            else:
                at[key] = chance.choice(VALUES)
            break
        at = at[key]
    file.write_text(json.dumps(document))


def _bytes(folder: Path, chance: random.Random) -> None:
    """Cut a file, turn bits of it, or write noise into it."""
    file = folder / chance.choice((DESCRIPTION, BOOSTER, EXAMPLES, REFERENCE))
    content = bytearray(file.read_bytes() if file.is_file() else b"")
    match chance.randrange(5):
        case 0:
            content = content[: chance.randrange(len(content) + 1)]
        case 1:
            for _ in range(chance.choice((1, 8))):
                if content:
                    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case 2:
            content = bytearray(chance.randbytes(chance.choice((0, 1, 100, 5_000))))
        case 3:
            at = chance.randrange(len(content) + 1)
            content[at:at] = chance.choice((b"\0", b"\r\n", b"\xff\xfe", b"[" * 100_000, b"=", b"\n\n"))
        case _:
            content += content[: chance.randrange(len(content) + 1)]
    file.write_bytes(content)


def _files(folder: Path, chance: random.Random) -> None:
    """Take a file away, add one, or put something there that is no file."""
    file = folder / chance.choice((DESCRIPTION, BOOSTER, EXAMPLES, REFERENCE))
    match chance.randrange(4):
        case 0:
            file.unlink(missing_ok=True)
        case 1:
            (folder / chance.choice(("run.sh", "booster.txt.bak", ".hidden"))).write_text("x")
        case 2:
            file.unlink(missing_ok=True)
            file.mkdir()
        case _:
            file.unlink(missing_ok=True)
            file.symlink_to("/dev/null")


def _inside(whole: Path, kept: Path, seed: int, first: int, cases: int) -> None:
    """Read cases one after the other; say what became of each, on a line."""
    from scoring import proof, trial
    from scoring.scorer import Scorer, ScorerError

    trial.bound(BATCH_S)
    for case in range(first, cases):
        folder = kept / f"case-{case}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        outcome, text = "read", ""
        with suppress(OSError):  # an earlier change took away what this one is about
            change(folder, random.Random(f"{seed}-{case}"))
        try:
            if Scorer.load(folder).engine == "lightgbm":
                outcome = "left"
            else:
                proof.prove(folder, "credit_scoring:tried")
        except ScorerError as error:
            outcome, text = "refused", str(error).replace(str(folder), "FOLDER")
            if "\n" in text or not text.endswith(".") or len(text) > 1_000:
                outcome = "fault"
        except BaseException as error:
            outcome, text = "fault", f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps({"case": case, "outcome": outcome, "text": text}) + "\n")
        sys.stdout.flush()
        if outcome != "fault":
            shutil.rmtree(folder)


if __name__ == "__main__":
    _inside(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
