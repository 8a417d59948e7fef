"""Training past memory: features from buckets into LightGBM's own binned form, and what more rows teach.

A bucket's features are computed, coded and put on the disk; LightGBM reads them back a few thousand rows at a
time and keeps one byte for each. Since buckets are drawn by a hash, the first of them are a sample, and the
last are held out from every size alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console

from benchmarks.binned import peak
from benchmarks.results import record
from benchmarks.scale import FILE, FOLDER
from scoring import features
from scoring.candidates.coding import LEVEL_PRIOR
from scoring.candidates.learners.boosted import LIGHTGBM
from scoring.decision import DEFAULT_PROTECTED
from scoring.portfolio.pool import processors
from scoring.portfolio.running import split
from scoring.scorer.model import Encoding
from scoring.synthetic import write
from scoring.tables import LABEL
from scoring.tables.buckets import APPLICANTS

COMMAND = "python -m benchmarks.learning curve"
MOST_BYTES = 3_000  # of a row, at the peak of a training
console = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def code(
    portfolio: Path, out: Path, buckets: Annotated[int | None, typer.Option(help="As for `split`.")] = None
) -> None:
    """Put the coded features of a portfolio and its outcomes on the disk, bucket by bucket."""
    found = split(portfolio, out / "buckets", "train", processors(), buckets)
    names = features.names(DEFAULT_PROTECTED)
    words = [name for name in names if features.FEATURE_BY_NAME[name].kind == "category"]
    counts: list[pl.DataFrame] = []
    for number in range(len(found)):
        bucket = found.read(number)
        table = features.build(bucket.portfolio).select(names)
        outcomes = bucket.portfolio.applications[LABEL]
        np.save(out / f"{number:06d}.outcomes.npy", outcomes.to_numpy().astype(np.int8))
        table.write_parquet(out / f"{number:06d}.parquet", compression="lz4")
        long = table.select(words).with_columns(outcomes).unpivot(index=LABEL, on=words)
        counts.append(
            long.drop_nulls().group_by("variable", "value").agg(n=pl.len(), bad=pl.col(LABEL).sum())
        )
    total = pl.concat(counts).group_by("variable", "value").sum()
    whole = np.concatenate([np.load(file) for file in sorted(out.glob("*.outcomes.npy"))]).mean()
    rate = (pl.col("bad") + LEVEL_PRIOR * whole) / (pl.col("n") + LEVEL_PRIOR)
    ordered = total.with_columns(rate=rate).sort("rate", "value")
    levels = {name: tuple(ordered.filter(pl.col("variable") == name)["value"].to_list()) for name in words}
    encoding = Encoding(tuple(names), levels, {})
    for file in sorted(out.glob("[0-9]*.parquet")):
        encoding.encode(pl.read_parquet(file)).tofile(file.with_suffix(".f64"))
        file.unlink()
    told = {"names": names, "settings": dict(LIGHTGBM.settings), "peak": peak()}
    (out / "coded.json").write_text(json.dumps(told), encoding="utf-8")


@app.command()
def curve(
    portfolio: Annotated[Path | None, typer.Option(help="With outcomes; made if none is given.")] = None,
    sizes: Annotated[list[int] | None, typer.Option("--size", help="Applicants to train on.")] = None,
    held_out: Annotated[int, typer.Option(help="Applicants that no size sees.")] = 50_000,
    bucket: Annotated[int, typer.Option(help="Applicants of a bucket.")] = APPLICANTS,
) -> None:
    """Train at several sizes, each in a process of its own, on one held-out set; keep AUC and bytes a row.

    Example: python -m benchmarks.learning curve --size 50000 --size 100000 --size 300000 --size 1000000
    """
    chosen = sorted(sizes or [50_000, 100_000, 300_000])
    needed = chosen[-1] + held_out
    if portfolio is None:
        portfolio = FOLDER / f"training-{needed}"
        if not portfolio.is_dir():
            write(portfolio, needed, 100, seed=2, is_shuffled=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    me = [sys.executable, "-m", "benchmarks.learning"]
    with tempfile.TemporaryDirectory(prefix="coded-", dir=FOLDER) as folder:
        number = -(-needed // bucket)
        subprocess.run([*me, "code", str(portfolio), folder, "--buckets", str(number)], check=True)
        coded = json.loads((Path(folder) / "coded.json").read_text(encoding="utf-8"))
        record(
            "training, features of all buckets, peak",
            coded["peak"] / 2**20,
            "MiB",
            command=COMMAND,
            file=FILE,
        )
        for size in chosen:
            line = [sys.executable, "-m", "benchmarks.binned", folder]
            line += [str(-(-size // bucket)), str(-(-held_out // bucket))]
            written = subprocess.run(line, check=True, capture_output=True, text=True).stdout
            said = json.loads(written.splitlines()[-1])  # LightGBM may have said something before
            a_row = said["peak"] / said["rows"]
            what = f"training on {said['rows']:,} applicants from buckets"  # of whole buckets: about `size`
            is_met = a_row <= MOST_BYTES if said["rows"] >= 290_000 else None
            record(
                f"{what}, peak",
                a_row,
                "bytes a row",
                target=MOST_BYTES,
                met=is_met,
                command=COMMAND,
                file=FILE,
            )
            record(f"{what}, AUC held out", said["auc"], "AUC", command=COMMAND, file=FILE)
            console.print(f"{said['rows']} rows: AUC {said['auc']:.4f}, {a_row:,.0f} bytes a row at the peak")


if __name__ == "__main__":
    app()
