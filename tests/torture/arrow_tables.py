"""Arrow tables that are nearly right: built by the writer, then bent in one place or a few.

``python -m tests.torture.arrow_tables FIRST COUNT FOLDER`` reads so many of them, each from a seed of its
own, and says how they ended. The one in work is in FOLDER: if the process dies, it is left there.
"""

from __future__ import annotations

import io
import json
import random
import resource
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from scoring import features
from scoring.features.checks import RULES, checker_of
from scoring.schema import KEY
from scoring.serving.large import ArrowTable, check
from scoring.serving.problem import Rejection

ROOT = Path(__file__).resolve().parents[2]
ROWS = 10_000
SLOW_S = 5.0  # for a table of kilobytes
MEMORY = 6 * 2**30  # address space of the process that reads
NAME = "table.arrow"
NUMBERS = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.decimal128(12, 2), pa.decimal128(38, 0)),
    *(pa.decimal256(50, 3), pa.decimal64(12, 4), pa.null()),
]
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
INDICES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()]
WORDS = [*TEXTS, *(pa.dictionary(index, word) for index in INDICES for word in TEXTS)]
TAKEN = [*NUMBERS, pa.bool_(), *WORDS]
REFUSED = [
    *(pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(4), pa.date32(), pa.date64()),
    *(pa.timestamp("us"), pa.timestamp("ns", "Europe/Paris"), pa.time64("us"), pa.duration("s")),
    *(pa.list_(pa.int64()), pa.large_list(pa.string()), pa.list_(pa.float64(), 2), pa.list_view(pa.int32())),
    *(pa.struct([("a", pa.string_view())]), pa.map_(pa.string(), pa.int64()), pa.uuid(), pa.json_()),
    *(pa.dictionary(pa.int8(), pa.int64()), pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    *(pa.run_end_encoded(pa.int32(), pa.string()), pa.month_day_nano_interval()),
]
EDGES = [0, 1, -1, 2, 7, 8, 12, 13, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, -(2**31)]  # of 32 bits, and
EDGES += [2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63)]
VOCABULARY = [
    "",
    "F",
    "Working",
    "Secondary / secondary special",
    "é" * 60,
    "x" * 101,
    "🏦" * 100,
    "y" * 2_000,
]


def values(draw: random.Random, kind: pa.DataType, rows: int) -> pa.Array:
    """Return values that a column of this type can have, some of them null."""
    if pa.types.is_null(kind):
        return pa.nulls(rows)
    if pa.types.is_dictionary(kind):
        few = values(draw, kind.value_type, draw.randint(1, 9))
        chosen = [None if draw.random() < 0.2 else draw.randrange(len(few)) for _ in range(rows)]
        return pa.DictionaryArray.from_arrays(pa.array(chosen, kind.index_type), few)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.nulls(rows, kind.storage_type))
    if kind in REFUSED:
        return pa.nulls(rows, kind)
    made = pa.array([None if draw.random() < 0.2 else _value(draw, kind) for _ in range(rows)], kind)
    return _under_nulls(draw, made) if pa.types.is_string_view(kind) and draw.random() < 0.5 else made


def _value(draw: random.Random, kind: pa.DataType) -> Any:
    """Return a value of this type, one that a column of ours may have as a rule."""
    is_usual = draw.random() < 0.95
    if pa.types.is_boolean(kind):
        return draw.random() < 0.5
    if kind in TEXTS:
        return draw.choice(VOCABULARY[:5] if is_usual else VOCABULARY)
    if pa.types.is_decimal(kind):
        return Decimal(draw.randint(0, 9) if is_usual else -7).scaleb(-kind.scale)
    if pa.types.is_floating(kind):
        return draw.choice([0.0, 1.0] if is_usual else [7.0, -3.0, 0.5, float("nan")])
    return draw.randint(0, 1) if is_usual else 100


def _under_nulls(draw: random.Random, column: pa.Array) -> pa.Array:
    """Let the views of nulls point nowhere, which no writer's library looks at."""
    bits, views, *data = column.buffers()
    bent = bytearray(views)
    for row in range(len(column)):
        if not column[row].is_valid:
            bent[16 * row : 16 * row + 16] = struct.pack("<4i", *(draw.choice(EDGES[:16]) for _ in range(4)))
    return pa.Array.from_buffers(column.type, len(column), [bits, pa.py_buffer(bytes(bent)), *data])


def build(draw: random.Random) -> bytes:
    """Return a right stream: some columns of types that are taken, seldom one of a type that is not."""
    flags = [name for name, rule in RULES.items() if rule.kind == "flag"]
    words = [name for name, rule in RULES.items() if rule.kind == "category"]
    names = draw.sample(sorted(set(RULES) - {KEY}), draw.randint(1, 4))
    kinds = {name: draw.choice(NUMBERS) for name in names}
    kinds |= {draw.choice(words): draw.choice(WORDS) for _ in range(draw.randint(1, 3))}
    if draw.random() < 0.2:
        kinds[draw.choice(flags)] = pa.bool_()
    if draw.random() < 0.05:
        kinds[draw.choice(words)] = draw.choice(REFUSED)
    options = pa.ipc.IpcWriteOptions(
        compression=draw.choice([None] * 18 + ["lz4", "zstd"]),
        emit_dictionary_deltas=draw.random() < 0.1,
        metadata_version=draw.choice([pa.ipc.MetadataVersion.V5] * 9 + [pa.ipc.MetadataVersion.V4]),
    )
    order = draw.sample([KEY, *kinds], len(kinds) + 1)
    fields = [pa.field(name, kinds.get(name, pa.int64())) for name in order]
    if draw.random() < 0.1:
        place = draw.randrange(len(fields))
        lie = {
            "ARROW:extension:name": draw.choice(["arrow.uuid", "geo", ""]),
            "ARROW:extension:metadata": "{",
        }
        fields[place] = fields[place].with_metadata(lie)
    schema = pa.schema(fields, {"pandas": "{" * draw.randint(0, 50)} if draw.random() < 0.2 else None)
    sink, start = io.BytesIO(), 1
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            rows = draw.randint(1, 40)
            ids = pa.array(range(start, start + rows))
            columns = [ids if name == KEY else values(draw, kinds[name], rows) for name in order]
            made = [
                column.cast(one.type) if column.type != one.type else column
                for column, one in zip(columns, fields, strict=True)
            ]
            writer.write_batch(pa.record_batch(made, schema=pa.schema(fields)))
            start += rows
    return sink.getvalue()


@dataclass
class Message:
    """Where a message of a stream stands: its metadata and its body."""

    head: int
    body: int
    end: int
    numbers: list[int] = field(default_factory=list)  # places of the flatbuffer's 64-bit numbers


def messages(stream: bytes | bytearray) -> Iterator[Message]:
    """Give the messages of a right stream."""
    place = 0
    while place + 8 <= len(stream):
        mark, length = struct.unpack_from("<iI", stream, place)
        if mark != -1 or not length:
            return
        message = pa.ipc.read_message(pa.py_buffer(bytes(stream[place:])))
        size = message.body.size if message.body else 0
        found = Message(place + 8, place + 8 + length, place + 8 + length + size)
        found.numbers = list(range(found.head, found.body - 7, 8))
        yield found
        place = found.end


def bend(draw: random.Random, stream: bytes) -> bytearray:
    """Change a right stream in one place, sometimes in a few."""
    bent = bytearray(stream)
    parts = list(messages(stream))
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        how = draw.choice(BENDS)
        how(draw, bent, parts)
        if how is _cut:  # now its parts stand elsewhere
            break
    return bent


def _body_number(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Put an edge into an offset, a view, an index or a value."""
    part = draw.choice([part for part in parts if part.end > part.body] or parts)
    if part.end - part.body >= 8:
        width = draw.choice([1, 2, 4, 4, 4, 8])
        place = part.body + draw.randrange((part.end - part.body) // width) * width
        old = int.from_bytes(bent[place : place + width], "little")
        new = draw.choice([*EDGES, old + 1, old - 1, old * 2, old ^ (1 << draw.randrange(8 * width))])
        bent[place : place + width] = (new % 2 ** (8 * width)).to_bytes(width, "little")


def _body_copy(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Copy one stretch of a body over another: offsets become views, words become bits."""
    part = draw.choice(parts)
    if (size := part.end - part.body) >= 16:
        length = draw.choice([8, 16, 64])
        source, target = (part.body + draw.randrange(size // 8) * 8 for _ in range(2))
        piece = bytes(bent[source : min(source + length, part.end)])
        piece = piece[: part.end - target]
        bent[target : target + len(piece)] = piece


def _body_noise(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Put any bytes into a stretch of a body."""
    part = draw.choice(parts)
    if (size := part.end - part.body) >= 8:
        place = part.body + draw.randrange(size)
        noise = draw.randbytes(min(draw.choice([1, 4, 32]), part.end - place))
        bent[place : place + len(noise)] = noise


def _views(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Let a view-like stretch point anywhere, with any length."""
    part = draw.choice(parts)
    if (size := part.end - part.body) >= 16:
        place = part.body + draw.randrange(size // 16) * 16
        view = [draw.choice([*EDGES[:16], 401, 400, 13]) for _ in range(4)]
        bent[place : place + 16] = b"".join((number % 2**32).to_bytes(4, "little") for number in view)


def _head_number(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Put an edge into a length, a null count, the place of a buffer, a count of views."""
    part = draw.choice(parts)
    place = draw.choice(part.numbers)
    (old,) = struct.unpack_from("<q", bent, place)
    new = draw.choice([*EDGES, old + 1, old - 1, old + 8, old - 8, old * 2, old // 2])
    struct.pack_into("<Q", bent, place, new % 2**64)


def _head_small(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Change a byte or two of the metadata: a type, a width, a flag, an endianness, an id."""
    part = draw.choice(parts)
    place = part.head + draw.randrange(part.body - part.head - 1)
    bent[place] = draw.choice([0, 1, 2, 3, bent[place] ^ (1 << draw.randrange(8)), draw.randrange(256)])


def _cut(draw: random.Random, bent: bytearray, parts: list[Message]) -> None:
    """Leave something out, or let it come twice: a message, or the bytes before the end."""
    part, how = draw.choice(parts), draw.random()
    piece = bytes(bent[part.head - 8 : part.end])
    if how < 0.4:
        del bent[part.head - 8 : part.end]
    elif how < 0.8:
        bent[part.head - 8 : part.head - 8] = piece
    else:
        del bent[-8 - draw.randint(1, 64) : -8]


BENDS = [*[_body_number] * 5, _body_copy, _body_noise, *[_views] * 2, *[_head_number] * 2, _head_small, _cut]


def drawn(seed: int) -> bytearray:
    """Return the table of a seed; one in ten is right."""
    draw = random.Random(seed)
    stream = build(draw)
    return bytearray(stream) if seed % 10 == 0 else bend(draw, stream)


def read(body: bytearray) -> str:
    """Read a table as the service does, all but the model; return how it ended."""
    try:
        table = ArrowTable(body, ROWS)
    except Rejection as rejection:
        return "not read" if rejection.status == 400 else "refused"
    try:
        checker = checker_of(tuple(table.schema.items()))
        check(table, checker)
        for part in table.slices():
            features.build(checker.portfolio(part))
    except Rejection:
        return "value refused"
    return "decided"


def main(first: int, count: int, folder: Path) -> dict[str, Any]:
    """Read the tables of so many seeds; return how many ended how, and which ones failed."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ends: Counter[str] = Counter()
    place = folder / NAME
    for seed in range(first, first + count):
        body = drawn(seed)
        place.write_bytes(body)
        (folder / "seed").write_text(str(seed))
        began = time.thread_time()
        try:
            end = read(body)
        except Exception as error:
            end = f"failed: {type(error).__name__}"
        if time.thread_time() - began > SLOW_S:
            end = "failed: slow"
        if end.startswith("failed"):
            place.rename(folder / f"{seed}.arrow")
        ends[end] += 1
    place.unlink(missing_ok=True)
    return dict(ends)


READER = (sys.executable, "-m", "tests.torture.arrow_tables")


def attack(first: int, count: int, folder: Path, reader: Sequence[str] = READER) -> Counter[str]:
    """Read the tables of so many seeds in child processes; what kills one is kept in the folder."""
    ends: Counter[str] = Counter()
    end = first + count
    while first < end:
        command = [*reader, str(first), str(end - first), str(folder)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
        if done.returncode == 0:
            return ends + Counter(json.loads(done.stdout))
        seed = int((folder / "seed").read_text())
        (folder / NAME).rename(folder / f"{seed}.arrow")
        ends[f"failed: died with {done.returncode}"] += 1
        ends["before a death"] += seed - first
        first = seed + 1
    return +ends


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])), sys.stdout)
