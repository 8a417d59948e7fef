"""Run the engine's readers of JSON, compiled with the sanitizers of memory, over bodies made to break them.

Run as a program with a folder, a seed and a count: a process of its own, since a fault of memory ends it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from scoring.engine import Key, NotJson, Outliner, Reader, native
from scoring.engine.build import BuildError, compiler

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DCLONES=")
OWN = {
    "SK_ID_CURR": Key("identifier"),
    "AMT_CREDIT": Key("number"),
    "CNT/CHILDREN": Key("whole", 0, 99),
    "CODE_GENDER": Key("word"),
    "history_features": Key("inner"),
}
SEEDS = (
    {"SK_ID_CURR": 1, "AMT_CREDIT": 1.5e-7, "CODE_GENDER": "é/\U0001f600\n", "CNT/CHILDREN": 7.0},
    {"SK_ID_CURR": 2**62, "history_features": {"mean": -0.1, "word": None}, "CODE_GENDER": "x" * 100},
)
TOKENS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"-",
        b".",
        b"e",
        b"E+",
        b" ",
        b"\n",
        b"null",
        b"NaN",
        b"-Infinity",
    ),
    *(
        b"\\",
        b"\\u",
        b"\\ud83d",
        b"\\ude00",
        b"\\u00e9",
        b"\\/",
        b"\\u0000" * 101,
        b'"' + b"k\\n" * 150 + b'":1,',
    ),
    *(b"\x00", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xff", b"\xe2\x82", b"9" * 4_301, b"9" * 25, b"1e-400"),
    *(b"[" * 210, b'{"a":' * 210, b'"applications":[', b'"SK\\u005fID_CURR":', b'"CNT\\/CHILDREN":1,'),
]


def body(chance: random.Random) -> bytes:
    """Draw a body that is right but for a few changes, or one of tokens alone."""
    if chance.random() < 0.2:
        return b"".join(chance.choices(TOKENS, k=chance.randint(1, 15)))
    chosen = [chance.choice(SEEDS) for _ in range(chance.randint(1, 3))]
    text = json.dumps({"applications": chosen}, ensure_ascii=chance.random() < 0.5)
    found = bytearray(text.replace("/", chance.choice(["/", "\\/"])).encode())
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(found) + 1)
        found[place : place + chance.choice([0, 0, 1, 2, 40])] = chance.choice([*TOKENS, chance.randbytes(2)])
    return bytes(found[: chance.randint(1, len(found) + 1)] if chance.random() < 0.2 else found)


def main(folder: Path, seed: int, count: int) -> None:
    """Build the library in a folder if it is not there, and read so many bodies."""
    library = folder / "kernels.so"
    if not library.is_file():
        command = [*compiler(), *native.FLAGS, *FLAGS, "-o", str(library), *map(str, native.sources())]
        subprocess.run(command, check=True, env=os.environ | {"LD_PRELOAD": ""})
    native.built = lambda: library
    reader = Reader(OWN, {"mean": Key("number"), "word": Key("word")})
    outliner, chance = Outliner(), random.Random(seed)
    read = 0
    wholes = [json.dumps({"applications": SEEDS}, ensure_ascii=plain).encode() for plain in (True, False)]
    beginnings = (whole[:end] for whole in wholes for end in range(1, len(whole)))
    for drawn in chain(beginnings, (body(chance) for _ in range(count))):
        # An array of its own: the sanitizers know its end to the byte.
        text: Any = np.frombuffer(drawn, np.uint8).copy()
        try:
            spans = outliner(text, 2).spans
            assert all(0 <= start < end <= len(text) for start, end, _ in spans.tolist())
        except NotJson as error:
            assert re.fullmatch(r"line \d+ column \d+", str(error))
        for part in reader.slices(text, 2):
            read += part is not None
            if part is not None:
                for name, is_inner in (("CODE_GENDER", False), ("word", True)):
                    offsets, letters, there = part.words(name, is_inner)
                    words = [letters[start:end].tobytes().decode() for start, end in pairwise(offsets)]
                    assert all(len(word) <= 100 for word in words) and len(there) == part.n
    assert read > count // 20, "hardly any body was read"


def run(folder: Path, seed: int, count: int) -> str | None:
    """Read so many bodies in a process with the sanitizers; return what they found, "" for nothing.

    None where this machine has no compiler with them.
    """
    try:
        asked = [[*compiler(), f"-print-file-name={name}"] for name in ("libasan.so", "libubsan.so")]
    except BuildError:
        return None
    found = [subprocess.run(one, capture_output=True, text=True).stdout.strip() for one in asked]
    if not all(Path(library).is_absolute() for library in found):
        return None
    # Python itself leaks at its end; and the library must be there before all others.
    environment = os.environ | {"LD_PRELOAD": " ".join(found), "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, "-m", "tests.torture.sanitized", str(folder), str(seed), str(count)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return (done.stderr[-3_000:] or f"ended with {done.returncode}") if done.returncode else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
