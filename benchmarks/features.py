"""Features of a whole portfolio beside the same aggregates in DuckDB and in pandas; of 10,000 rows; of one.

Each engine runs in a process of its own, from the files to one line per applicant; all must find the same.
Targets are held by CPU time, which a busy machine changes little.

Example: ``python -m benchmarks.features --portfolio var/demo --rounds 5``
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.console import Console

from benchmarks.given import MadeBy, command
from benchmarks.results import record
from scoring import features, tables
from scoring.features.columnar import Summed

ASKED = {
    "bureau": [
        "bureau_count", "bureau_active_count", "bureau_types", "bureau_credit_mean", "bureau_credit_max",
        "bureau_debt_sum", "bureau_overdue_days_max", "bureau_prolongations", "bureau_opened_days_max",
    ],
    "POS_CASH_balance": [
        "pos_count", "pos_loans", "pos_dpd_mean", "pos_dpd_max", "pos_late_share", "pos_completed_count",
        "pos_first_month",
    ],
    "credit_card_balance": [
        "card_count", "card_cards", "card_balance_mean", "card_balance_max", "card_limit_mean",
        "card_paid_mean", "card_late_share", "card_first_month",
    ],
    "installments_payments": [
        "installment_count", "installment_loans", "installment_late_share", "installment_late_days_max",
        "installment_underpaid_sum", "installment_paid_sum", "installment_due_max", "installment_first_days",
    ],
}  # fmt: skip
SQL = {
    "bureau": """
select SK_ID_CURR, count(*), count(*) filter (CREDIT_ACTIVE = 'Active'), count(distinct CREDIT_TYPE),
    avg(AMT_CREDIT_SUM) filter (AMT_CREDIT_SUM <= 5e7), max(AMT_CREDIT_SUM) filter (AMT_CREDIT_SUM <= 5e7),
    sum(AMT_CREDIT_SUM_DEBT) filter (AMT_CREDIT_SUM_DEBT >= 0), max(CREDIT_DAY_OVERDUE),
    sum(CNT_CREDIT_PROLONG), max(DAYS_CREDIT)
from {} semi join applicants using (SK_ID_CURR) group by SK_ID_CURR""",
    "POS_CASH_balance": """
select SK_ID_CURR, count(*), count(distinct SK_ID_PREV), avg(SK_DPD), max(SK_DPD), avg((SK_DPD > 0)::int),
    count(*) filter (NAME_CONTRACT_STATUS = 'Completed'), min(MONTHS_BALANCE)
from {} semi join applicants using (SK_ID_CURR) group by SK_ID_CURR""",
    "credit_card_balance": """
select SK_ID_CURR, count(*), count(distinct SK_ID_PREV), avg(AMT_BALANCE) filter (AMT_BALANCE >= -50000),
    max(AMT_BALANCE) filter (AMT_BALANCE >= -50000), avg(AMT_CREDIT_LIMIT_ACTUAL), avg(AMT_PAYMENT_CURRENT),
    avg((SK_DPD > 0)::int), min(MONTHS_BALANCE)
from {} semi join applicants using (SK_ID_CURR) group by SK_ID_CURR""",
    "installments_payments": """
with instalments as (
    select SK_ID_CURR, SK_ID_PREV, DAYS_INSTALMENT as due_on, AMT_INSTALMENT as due,
        coalesce(sum(AMT_PAYMENT), 0) as paid, max(DAYS_ENTRY_PAYMENT) - DAYS_INSTALMENT as delay
    from {} semi join applicants using (SK_ID_CURR)
    group by SK_ID_CURR, SK_ID_PREV, NUM_INSTALMENT_NUMBER, DAYS_INSTALMENT, AMT_INSTALMENT)
select SK_ID_CURR, count(*), count(distinct SK_ID_PREV), avg((delay > 0)::int), max(greatest(delay, 0)),
    sum(greatest(due - paid, 0)), sum(paid), max(due), min(due_on)
from instalments group by SK_ID_CURR""",
}
ENGINES = ("ours", "duckdb", "pandas")
BUILD_TARGETS = (150.0, 8 * 1024.0)  # seconds and MiB, for the 57 million records of the full size
RATIO_TARGETS: dict[tuple[str, str], float | None] = {
    ("duckdb", "CPU time"): 1.3,
    ("duckdb", "peak memory"): None,
    ("pandas", "CPU time"): 1.0,
    ("pandas", "peak memory"): 1.0,
}
ONE_BARE, ONE_FULL = "one row without history", "one row with about 100 records"
MANY = "10,000 rows with aggregates"
SMALL_TARGETS = {ONE_BARE: 1.0, ONE_FULL: 4.0, MANY: 60.0}  # ms


def files(portfolio: Path, table: str) -> list[str]:
    """Name the files of one table: a CSV, a Parquet file, or parts."""
    patterns = (f"{table}.csv", f"{table}.parquet", f"{table}/*.parquet")
    return sorted(str(file) for pattern in patterns for file in portfolio.glob(pattern))


def ours(portfolio: Path) -> pl.DataFrame:
    """Read and aggregate with the project's own code, the declared features only."""
    declared = features.FEATURE_BY_NAME
    asked = {table: {n: declared[n].term for n in names} for table, names in ASKED.items()}
    read = {table: sorted(set().union(*(declared[n].reads for n in names))) for table, names in ASKED.items()}
    known = tables.read(portfolio, "train", columns={"application": (), **read})
    result = known.applications.select("row", "SK_ID_CURR")
    for table, terms in asked.items():
        result = result.join(Summed(terms)(known.history[table]), on="row", how="left")
    return result.drop("row")


def duckdb(portfolio: Path) -> pl.DataFrame:
    """Read and aggregate in SQL."""
    import duckdb as engine

    with engine.connect() as database:
        database.execute("set threads = 2; set preserve_insertion_order = false")

        def source(table: str) -> str:
            found = files(portfolio, table)
            return f"read_{'csv' if found[0].endswith('.csv') else 'parquet'}({found})"

        database.execute(f"create table applicants as select SK_ID_CURR from {source('application_train')}")
        result = pl.DataFrame(database.sql("select SK_ID_CURR from applicants").to_arrow_table())
        for table, query in SQL.items():
            found = pl.DataFrame(database.sql(query.format(source(table))).to_arrow_table())
            found.columns = ["SK_ID_CURR", *ASKED[table]]
            result = result.join(found, on="SK_ID_CURR", how="left")
    return result


def pandas(portfolio: Path) -> pl.DataFrame:
    """Read and aggregate with groupby and named aggregates, the fast way in pandas."""
    import pandas as pd

    def read(table: str, *columns: str) -> Any:
        found, names = files(portfolio, table), ["SK_ID_CURR", *columns]
        if found[0].endswith(".csv"):
            frame = pd.read_csv(found[0], usecols=names)
        else:
            frame = pd.concat((pd.read_parquet(file, columns=names) for file in found), ignore_index=True)
        return frame if table == "application_train" else frame[frame["SK_ID_CURR"].isin(applicants)]

    applicants = read("application_train")["SK_ID_CURR"]
    key, parts = "SK_ID_CURR", []
    b = read(
        "bureau", "CREDIT_ACTIVE", "CREDIT_TYPE", "AMT_CREDIT_SUM", "AMT_CREDIT_SUM_DEBT",
        "CREDIT_DAY_OVERDUE", "CNT_CREDIT_PROLONG", "DAYS_CREDIT",
    ).assign(
        active=lambda d: d["CREDIT_ACTIVE"] == "Active",
        credit=lambda d: d["AMT_CREDIT_SUM"].where(d["AMT_CREDIT_SUM"] <= 5e7),
        debt=lambda d: d["AMT_CREDIT_SUM_DEBT"].where(d["AMT_CREDIT_SUM_DEBT"] >= 0),
    ).groupby(key)  # fmt: skip
    parts.append(
        [
            b.size(), b["active"].sum(), b["CREDIT_TYPE"].nunique(), b["credit"].mean(), b["credit"].max(),
            b["debt"].sum(min_count=1), b["CREDIT_DAY_OVERDUE"].max(),
            b["CNT_CREDIT_PROLONG"].sum(min_count=1), b["DAYS_CREDIT"].max(),
        ]
    )  # fmt: skip
    p = read("POS_CASH_balance", "SK_ID_PREV", "MONTHS_BALANCE", "NAME_CONTRACT_STATUS", "SK_DPD").assign(
        late=lambda d: (d["SK_DPD"] > 0).where(d["SK_DPD"].notna()),
        completed=lambda d: d["NAME_CONTRACT_STATUS"] == "Completed",
    ).groupby(key)  # fmt: skip
    parts.append(
        [
            p.size(), p["SK_ID_PREV"].nunique(), p["SK_DPD"].mean(), p["SK_DPD"].max(), p["late"].mean(),
            p["completed"].sum(), p["MONTHS_BALANCE"].min(),
        ]
    )  # fmt: skip
    c = read(
        "credit_card_balance", "SK_ID_PREV", "MONTHS_BALANCE", "AMT_BALANCE", "AMT_CREDIT_LIMIT_ACTUAL",
        "AMT_PAYMENT_CURRENT", "SK_DPD",
    ).assign(
        balance=lambda d: d["AMT_BALANCE"].where(d["AMT_BALANCE"] >= -50_000),
        late=lambda d: (d["SK_DPD"] > 0).where(d["SK_DPD"].notna()),
    ).groupby(key)  # fmt: skip
    parts.append(
        [
            c.size(), c["SK_ID_PREV"].nunique(), c["balance"].mean(), c["balance"].max(),
            c["AMT_CREDIT_LIMIT_ACTUAL"].mean(), c["AMT_PAYMENT_CURRENT"].mean(), c["late"].mean(),
            c["MONTHS_BALANCE"].min(),
        ]
    )  # fmt: skip
    payments = read(
        "installments_payments", "SK_ID_PREV", "NUM_INSTALMENT_NUMBER", "DAYS_INSTALMENT",
        "DAYS_ENTRY_PAYMENT", "AMT_INSTALMENT", "AMT_PAYMENT",
    )  # fmt: skip
    keys = [key, "SK_ID_PREV", "NUM_INSTALMENT_NUMBER", "DAYS_INSTALMENT", "AMT_INSTALMENT"]
    i = payments.groupby(keys, dropna=False, sort=False).agg(
        paid=("AMT_PAYMENT", "sum"), paid_on=("DAYS_ENTRY_PAYMENT", "max")
    ).reset_index()  # fmt: skip
    delay = i["paid_on"] - i["DAYS_INSTALMENT"]
    i = i.assign(
        late=(delay > 0).where(delay.notna()).astype("Float64"),
        late_days=delay.clip(lower=0),
        underpaid=(i["AMT_INSTALMENT"] - i["paid"]).clip(lower=0).fillna(0.0),
    ).groupby(key)
    parts.append(
        [
            i.size(), i["SK_ID_PREV"].nunique(), i["late"].mean(), i["late_days"].max(), i["underpaid"].sum(),
            i["paid"].sum(), i["AMT_INSTALMENT"].max(), i["DAYS_INSTALMENT"].min(),
        ]
    )  # fmt: skip
    result = pd.DataFrame(index=pd.Index(applicants, name=key))
    for names, columns in zip(ASKED.values(), parts, strict=True):
        result = result.join(pd.concat(columns, axis=1, keys=names), how="left")
    numbers = {name: result[name].to_numpy(dtype="float64", na_value=np.nan) for name in result.columns}
    return pl.DataFrame({key: result.index.to_numpy(), **numbers})


def every(portfolio: Path) -> pl.DataFrame:
    """Read a portfolio and build every feature, as training does."""
    known = tables.read(portfolio, "train", columns=features.READS)
    return known.applications.select("SK_ID_CURR").hstack(features.build(known))


def run_one(engine: str, portfolio: Path, out: Path) -> None:
    """Run one engine in this process; print wall seconds, CPU seconds and MiB at the peak."""
    wall = time.perf_counter()
    result = {"ours": ours, "duckdb": duckdb, "pandas": pandas, "every": every}[engine](portfolio)
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(
        f"{time.perf_counter() - wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}\n"
    )
    values = [pl.col(n).cast(pl.Float64).fill_nan(None) for names in ASKED.values() for n in names]
    result.sort("SK_ID_CURR").select("SK_ID_CURR", *values).write_parquet(out)


def agree(a: Path, b: Path) -> None:
    """Raise unless two engines found the same, to the thousandth of a unit or nine digits."""
    one, other = pl.read_parquet(a), pl.read_parquet(b)
    for name in one.columns[1:]:
        x, y = one[name], other[name]
        far = (x - y).abs() > 1e-3 + 1e-9 * y.abs()
        if (x.is_null() != y.is_null()).any() or far.any():
            at = int((far.fill_null(False) | (x.is_null() != y.is_null())).arg_true()[0])
            raise SystemExit(f"{name} of application {one['SK_ID_CURR'][at]}: {x[at]} and {y[at]}")


def milliseconds(work: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Give median wall and CPU milliseconds of a call."""
    work()
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return 1e3 * statistics.median(walls), 1e3 * statistics.median(cpus)


def small(portfolio: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Measure one row alone, and 10,000 rows that bring their aggregates."""
    known = tables.read(portfolio, "train", columns=features.READS)
    sample = tables.take(known, range(min(500, len(known))))
    requests = tables.to_requests(sample, range(len(sample)))
    size = [sum(len(r) for r in request.get("history", {}).values()) for request in requests]
    usual = [r for r, n in zip(requests, size, strict=True) if 80 <= n <= 120] or requests
    built = features.build(sample).select(features.HISTORY_FEATURES)
    positions = np.arange(10_000) % len(sample)
    rows = tables.take(tables.Portfolio(sample.applications, {}), positions)
    ready = tables.Portfolio(rows.applications, {}, built[positions].with_row_index("row"))

    def each(histories: bool) -> Callable[[], object]:
        return lambda: [features.one(r, r.get("history") if histories else None) for r in usual]

    def per_row(histories: bool) -> tuple[float, float]:
        wall, cpu = milliseconds(each(histories), rounds)
        return wall / len(usual), cpu / len(usual)

    return {
        ONE_BARE: per_row(False),
        ONE_FULL: per_row(True),
        MANY: milliseconds(lambda: features.build(ready), rounds),
    }


def main(
    portfolio: Annotated[Path, typer.Option(help="Kaggle folder, or folder of Parquet tables; not a zip.")],
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each engine, interleaved.")] = 5,
    made_by: MadeBy = "",
    only: Annotated[str | None, typer.Option(hidden=True)] = None,
    out: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure, compare, and keep the figures in benchmarks/results.json."""
    if only is not None and out is not None:
        run_one(only, portfolio, out)
        return
    console = Console()
    again = command("features", portfolio, made_by, rounds=rounds)
    runs: dict[str, list[list[float]]] = {engine: [] for engine in (*ENGINES, "every")}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for engine in runs:
                result = Path(folder) / f"{engine}.parquet"
                call = [sys.executable, "-m", "benchmarks.features", "--portfolio", str(portfolio)]
                call += ["--only", engine, "--out", str(result)]
                done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
                runs[engine].append([float(part) for part in done.stdout.split()[-3:]])
        for engine in ENGINES[1:]:
            agree(Path(folder) / "ours.parquet", Path(folder) / f"{engine}.parquet")
        applicants = pl.scan_parquet(Path(folder) / "ours.parquet").select(pl.len()).collect().item()
    of = f"features, {applicants:,} applicants"  # in each name: figures of another size stand beside these
    count = sum(map(len, ASKED.values()))
    middle = {
        engine: [statistics.median(part) for part in zip(*rows, strict=True)] for engine, rows in runs.items()
    }
    wall, cpu, memory = middle.pop("every")
    console.print(f"all {len(features.FEATURES)} features: {wall:.1f} s, {cpu:.1f} CPU s, {memory:,.0f} MiB")
    whole = f"{of}: read and build all of a portfolio"
    for figure, unit, bound in zip((cpu, memory), ("CPU s", "MiB"), BUILD_TARGETS, strict=True):
        record(f"{whole}, {unit}", figure, unit, target=bound, met=figure <= bound, command=again)
    for engine, (wall, cpu, memory) in middle.items():
        console.print(
            f"{count} aggregates, {engine}: {wall:.1f} s, {cpu:.1f} CPU s, {memory:,.0f} MiB; same values"
        )
    for (other, what), target in RATIO_TARGETS.items():
        i = ("time", "CPU time", "peak memory").index(what)
        ratio = middle["ours"][i] / middle[other][i]
        name = f"{of}: {count} aggregates of four tables, {what}, ratio to {other}"
        record(
            name,
            ratio,
            "ratio",
            target=target,
            met=None if target is None else ratio <= target,
            command=again,
        )
    for name, (wall, cpu) in small(portfolio, rounds).items():
        console.print(f"{name}: {wall:.2f} ms, {cpu:.2f} CPU ms")
        record(
            f"{of}: {name}",
            cpu,
            "CPU ms",
            target=SMALL_TARGETS[name],
            met=cpu <= SMALL_TARGETS[name],
            command=again,
        )


if __name__ == "__main__":
    typer.run(main)
