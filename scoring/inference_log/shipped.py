"""What was shipped, in its store: verified, erased, and purged when its retention is over."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from scoring.inference_log import parquet
from scoring.inference_log.affected import SCRATCH, affected_by, committed
from scoring.inference_log.anchor import ANCHOR
from scoring.inference_log.chain import ChainFault, Verification, verify
from scoring.inference_log.disk import write_new
from scoring.inference_log.erasing import apply
from scoring.inference_log.erasure import SUFFIX, Erasure
from scoring.inference_log.packing import PACKED
from scoring.inference_log.packing import place as place_of
from scoring.inference_log.ship import FILES, MANIFESTS, Manifest, check_owner
from scoring.inference_log.store import Store, at_work, put_checked
from scoring.inference_log.table import TableEntry

LEFT = "left"  # of files that no manifest names, in the place of its state


def verify_shipped(store: Store, key: bytes) -> Verification:
    """Check every file in a store against its manifest and its chain, and every table against its file.

    Raises
    ------
    ShippingError
        If the store cannot be used, or has another log.
    """
    check_owner(store, key)
    found, named, missing = Verification(), set[str](), list[str]()
    for name in sorted(store.keys(MANIFESTS)):
        try:
            manifest = Manifest.of(store.get(name) or b"", key)
            if manifest.key != name:
                raise ValueError("it is that of another file")
        except ValueError as error:
            found.faults.append(ChainFault(Path(name), None, f"the manifest: {error}"))
            continue
        if manifest.state == "purged":
            found.purged += 1
            continue
        for target, _, digest in manifest.objects:
            content = store.get(str(target))
            if content is None or hashlib.sha256(content).hexdigest() != digest:
                what = "is gone" if content is None else "is not the one of its manifest"
                found.faults.append(ChainFault(Path(str(target)), None, f"the file {what}"))
        with TemporaryDirectory(prefix="credit-scoring-") as scratch:
            log, heads = _fetch(store, manifest, Path(scratch), lambda _: True)
            part = verify(log, heads, key)
            wrong, left = parquet.compare(store, manifest.decisions, log / manifest.file)
        found.faults += (ChainFault(Path(target), None, why) for target, why in wrong)
        missing += left
        named |= set(manifest.decisions)
        # Which anchors were there when it was begun is known to the log, not to one file of it.
        own = (fault for fault in part.faults if "gone with the anchor" not in fault.why)
        found.faults += (ChainFault(Path(name), fault.line, fault.why) for fault in own)
        found.files += part.files
        found.records += part.records
    _check_once(store, named, missing, found)
    return found


def _check_once(store: Store, named: set[str], missing: list[str], found: Verification) -> None:
    """Check that each event is in the tables of a store, and in one of them."""
    nowhere, seen = set(missing), pl.Series("hash", [], pl.UInt64)
    for key, events in parquet.all_events(store):
        if key not in named:
            found.notes.append(
                f"{key}: no manifest names this table; being shipped now, or left by a kill: ship again."
            )
        nowhere.difference_update(events.filter(events.is_in(pl.Series(list(nowhere), dtype=pl.String))))
        hashes = events.hash().alias("hash")
        if twice := hashes.len() - hashes.n_unique() + int(hashes.unique().is_in(seen.implode()).sum()):
            found.faults.append(ChainFault(Path(key), None, f"{twice} events of it are in another table too"))
        seen = pl.concat([seen, hashes])
    if nowhere:
        found.faults.append(
            ChainFault(Path(parquet.DECISIONS), None, f"{len(nowhere)} decisions of files are in no table")
        )


def _fetch(store: Store, manifest: Manifest, place: Path, wanted: Callable[[str], bool]) -> tuple[Path, Path]:
    """Copy what belongs to a file, as far as it is wanted by name, into a log and its anchors."""
    log, heads = place / "log", place / "heads"
    log.mkdir(exist_ok=True)
    heads.mkdir(exist_ok=True)
    for target, _, _ in manifest.objects:
        name = Path(str(target)).name
        into = (heads if name.endswith(ANCHOR) else log) / name
        if not into.exists() and wanted(name) and (content := store.get(str(target))) is not None:
            write_new(into, content)
    return log, heads


@dataclass(frozen=True)
class InStore:
    """What was shipped to a store, for who erases: see `erasing.ShippedCopies`.

    What says in what a manifest names is changed last of all: until then, who is killed finds it again.
    Every method raises a `ShippingError` if the store cannot be used, or has another log.
    """

    store: Store
    key: bytes
    now: Callable[[], datetime]

    def alone(self) -> AbstractContextManager[None]:
        """Be the only one that changes the store."""
        check_owner(self.store, self.key)
        return at_work(self.store)

    def events(self, who: str) -> Sequence[str]:
        """Return the events of a person."""
        check_owner(self.store, self.key)
        return parquet.events_of(self.store, who)

    def erase(self, erasure: Erasure, scratch: Path) -> int:
        """Erase what speaks of the person of an erasure; return how many objects were written anew."""
        check_owner(self.store, self.key)
        written = 0
        events = pl.Series(parquet.EVENT, erasure.events, pl.String)
        for target in sorted(self.store.keys(parquet.DECISIONS)):  # also what no manifest names yet
            written += parquet.remove(self.store, target, events, erasure.whose) > 0
        for manifest in _manifests(self.store, self.key):
            with TemporaryDirectory(prefix=SCRATCH, dir=scratch) as place:
                written += self._erase_file(manifest, erasure, Path(place))
        return written

    def _erase_file(self, manifest: Manifest, erasure: Erasure, place: Path) -> int:
        store, under = self.store, f"{FILES}/day={manifest.file[:10]}/{Path(manifest.key).stem}"
        record = f"{under}/{erasure.id}{SUFFIX}"
        log, heads = _fetch(
            store, manifest, place, lambda name: ".arrow" not in name and name != Path(record).name
        )
        tables = _tables(log / manifest.file, heads, self.key)
        wanted = {part.file for part in tables if any(part.holds(one) is not None for one in erasure.events)}
        wanted |= {f"{name}{PACKED}" for name in wanted}  # as they lie there
        _fetch(store, manifest, place, wanted.__contains__)
        found = affected_by(log, heads, self.key, str(erasure.whose), self.now(), erasure.events)
        if not found.lines and not found.tables:
            return 0
        if (before := store.get(record)) is not None:  # of one who was killed: what it did is found no more
            known, old = {one.file for one in found.tables}, Erasure.of(before, self.key)
            found.tables += (one for one in old.tables if one.file not in known)
            found.lines = found.lines or list(old.lines)
        done = replace(erasure, lines=tuple(found.lines), tables=tuple(found.tables), whose=None)
        apply(log, done)
        lying = {place_of(log / table.file) for table in found.tables}
        changed = {path.name for path in lying if path.exists()}
        changed |= {f"{manifest.file}{PACKED}"} if found.lines else set()
        contents = {f"{under}/{name}": (log / name).read_bytes() for name in sorted(changed)}
        said = {str(one[0]): one for one in manifest.objects}
        for target, content in {record: done.to_bytes(self.key), **contents}.items():
            said[target] = [target, len(content), hashlib.sha256(content).hexdigest()]
        changes = {record: done.to_bytes(self.key)}
        if manifest.state != LEFT:
            changes[manifest.key] = replace(manifest, objects=list(said.values())).to_bytes(self.key)
        changes |= contents
        for target, content in changes.items():
            put_checked(store, target, content)
        return len(changes)


def _manifests(store: Store, key: bytes) -> Iterator[Manifest]:
    """Give what has files in a store, also those that have no manifest: a kill came first, or a purge.

    A manifest that is none is named by who verifies.
    """
    known = set[str]()
    for name in sorted(store.keys(MANIFESTS)):
        try:
            manifest = Manifest.of(store.get(name) or b"", key)
        except ValueError:
            known.add(name)  # its files are evidence
            continue
        if manifest.state != "purged":
            known.add(name)
            yield manifest
    left = defaultdict[str, dict[str, int]](dict)
    for target, size in store.keys(FILES).items():
        left[target.rpartition("/")[0]][target] = size
    for under, objects in sorted(left.items()):
        file, _, head = under.rpartition("/")[2].rpartition(".")
        named: list[list[str | int]] = [[target, size, ""] for target, size in objects.items()]
        manifest = Manifest(file, head, 0, "", named, state=LEFT)
        if manifest.key not in known and f"{under}/{file}{PACKED}" in objects:
            yield manifest


def _tables(path: Path, heads: Path, key: bytes) -> Iterator[TableEntry]:
    for _, line in committed(path, heads, key):
        if b'"table":' in line:
            yield TableEntry.of(json.loads(line))


def purge_shipped(store: Store, key: bytes, before: date, now: datetime) -> int:
    """Remove what is of days before a day; manifests that say so stay. Return how many files went.

    Raises
    ------
    ShippingError
        If the store cannot be used, has another log, or others are at work on it.
    """
    check_owner(store, key)
    with at_work(store):
        return _purge(store, key, before, now)


def _purge(store: Store, key: bytes, before: date, now: datetime) -> int:
    gone = 0
    for day in _before(store, MANIFESTS, before):
        for name in sorted(store.keys(f"{MANIFESTS}/{day}")):
            try:
                manifest = Manifest.of(store.get(name) or b"", key)
            except ValueError:
                continue
            if manifest.state != "purged":  # the stone first: who is killed goes on with what is below
                when = f"{now:%Y-%m-%dT%H:%M:%SZ}"
                stone = replace(manifest, objects=[], decisions=[], state="purged", time=when)
                put_checked(store, name, stone.to_bytes(key))
                gone += 1
    models = [f"{parquet.DECISIONS}/{model}" for model in store.folders(parquet.DECISIONS)]
    for place in (FILES, *models):
        for day in _before(store, place, before):
            for name in store.keys(f"{place}/{day}"):
                store.remove(name)
    return gone


def _before(store: Store, place: str, before: date) -> list[str]:
    """Return the days of a place that are before a day; what else is there is none of ours."""
    first, end = "day=", f"day={before.isoformat()}"
    return [name for name in store.folders(place) if name.startswith(first) and name < end]
