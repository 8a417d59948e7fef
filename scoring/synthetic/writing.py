"""Write a train and test portfolio of any size to disk, block by block."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from scoring.synthetic.portfolio import FIRST_ID, PopulationName, draw_tables
from scoring.tables.streams import Streams

FileFormat = Literal["parquet", "csv"]
Progress = Callable[[int], None]
BLOCK = 20_000
"""Applicants drawn at a time; 20,000 with their histories need about 0.7 GB."""
PARTS = 16  # of a table whose records are shuffled
SHUFFLED_BYTES = 2**24  # of a table that wait in memory


def write(
    folder: Path,
    train: int,
    test: int,
    seed: int,
    *,
    format: FileFormat = "parquet",
    block: int = BLOCK,
    progress: Progress | None = None,
    is_shuffled: bool = False,
) -> Path:
    """Write a portfolio in the layout of the Kaggle files.

    The training population comes first, the later one after it; their histories share the six history
    tables, as in the source. Block ``k`` of a population draws from its own seed, so its rows depend on
    `seed`, `block` and ``k`` only (ids of the later population also on `train`).

    Parameters
    ----------
    folder : Path
        Where the tables go; must not exist, or be empty. It appears only when complete.
    train, test : int
        Number of applications of the two populations; `train` at least 1, `test` may be 0.
    seed : int
        Seed of the whole portfolio.
    format : {"parquet", "csv"}
        ``bureau/part-00000.parquet`` and so on, or ``bureau.csv``.
    block : int
        Applications per block: bounds the memory, and is a part of what the content depends on.
    progress : callable, optional
        Told the number of applications written, after each block.
    is_shuffled : bool
        Put the records of each table in any order, as lenders have them; else those of a client stand
        together. They are the same records.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    FileExistsError
        If `folder` exists and is not an empty directory.
    ValueError
        If a number is out of range or the format unknown.
    """
    _check(folder, train, test, block, format)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    shuffling = _Shuffling(unfinished / ".shuffled", seed) if is_shuffled else None
    try:
        for number, (population, place, count, first_id) in enumerate(_blocks(train, test, block)):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(population == "test", place)))
            for table, frame in draw_tables(rng, count, population, first_id).items():
                if shuffling is not None:
                    shuffling.add(table, frame)
                else:
                    _append(unfinished, table, frame, number, format)
            if progress is not None:
                progress(count)
        for table, part, frame in shuffling.parts() if shuffling is not None else ():
            _append(unfinished, table, frame, part, format)
        unfinished.chmod(0o755)
        unfinished.replace(folder)
    except BaseException:  # Ctrl-C too: nothing half-made stays
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return folder


class _Shuffling:
    """Records that wait for one another: each goes to a part by chance, and each part is mixed at the end."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
        self._streams: dict[str, Streams] = {}

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Add records of a table."""
        if table not in self._streams:
            (self._folder / table).mkdir(parents=True)
            self._streams[table] = Streams(self._folder / table, SHUFFLED_BYTES)
        self._streams[table].put(frame, self._rng.integers(PARTS, size=frame.height))

    def parts(self) -> Iterator[tuple[str, int, pl.DataFrame]]:
        """Give the parts of each table, in order, and remove what waited."""
        for table, streams in self._streams.items():
            streams.close()
            for part, file in enumerate(sorted((self._folder / table).glob("*.arrow"))):
                frame = pl.read_ipc_stream(file)
                yield table, part, frame[self._rng.permutation(frame.height)]
                file.unlink()
        shutil.rmtree(self._folder)


def _check(folder: Path, train: int, test: int, block: int, format: str) -> None:
    """Refuse what cannot be written, before anything is drawn."""
    if train < 1 or test < 0:
        raise ValueError(f"train is {train} and test is {test}: ask for at least 1 and 0 applications")
    if block < 1:
        raise ValueError(f"block is {block}: ask for at least 1 application per block")
    if format not in ("parquet", "csv"):
        raise ValueError(f"format is {format!r}: choose parquet or csv")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty: choose another folder or remove it")


def _blocks(train: int, test: int, block: int) -> Iterator[tuple[PopulationName, int, int, int]]:
    """Give population, place within it, size and first id of each block."""
    populations: tuple[tuple[PopulationName, int, int], ...] = (
        ("train", train, FIRST_ID),
        ("test", test, FIRST_ID + train),
    )
    for population, total, first_id in populations:
        for place, start in enumerate(range(0, total, block)):
            yield population, place, min(block, total - start), first_id + start


def _append(folder: Path, table: str, frame: pl.DataFrame, part: int, format: FileFormat) -> None:
    """Add the rows of a block to a table on disk."""
    if format == "parquet":
        parts = folder / table
        parts.mkdir(exist_ok=True)
        frame.write_parquet(parts / f"part-{part:05d}.parquet")
        return
    path = folder / f"{table}.csv"
    is_new = not path.exists()
    with path.open("ab") as file:
        frame.write_csv(file, include_header=is_new)
