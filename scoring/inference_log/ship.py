"""Shipping closed files to a store, and the decisions in them as Parquet by day and model.

In the store::

    log.json                                    whose log it is, signed
    files/day=2026-11-21/NAME.HEAD/…            a closed file as it lies in the log, its anchor, its tables
    decisions/model=…/day=2026-11-21/NAME.HEAD.00000.parquet
    manifests/day=2026-11-21/NAME.HEAD.json     what was shipped: hashes, records, head of the chain; signed

A manifest is written last: a file without one is shipped again, under the same keys, so who is killed leaves
nothing that is not written over. ``HEAD`` is the beginning of the hash that the file's anchor has, by which
files of one name on two machines are told apart, and one file in two copies of a log is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Set
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from scoring.inference_log import parquet
from scoring.inference_log.anchor import ANCHOR, Anchor, read_anchor
from scoring.inference_log.chain import tables_of, verify_file
from scoring.inference_log.erasure import Erasures, alone
from scoring.inference_log.following import identity
from scoring.inference_log.packer import left_plain
from scoring.inference_log.packing import log_files, pack, packed, place
from scoring.inference_log.pieces import SetAside
from scoring.inference_log.record import LogError
from scoring.inference_log.signed import check_signed, sign
from scoring.inference_log.store import ShippingError, Store, at_work, put_checked
from scoring.regular import open_regular

DIGITS = 16  # of the head, in a key
TOGETHER_ROWS = 131_072  # decisions that are held, 150 MB, and looked for in the store at a time
OWNER, FILES, MANIFESTS = "log.json", "files", "manifests"


@dataclass(frozen=True)
class Manifest:
    """What was shipped of a file, whose anchor has so many records and this head.

    ``objects`` are [key, bytes, SHA-256], ``decisions`` keys of Parquet. Of a ``purged`` one all is gone.
    """

    file: str
    head: str
    records: int
    time: str
    objects: list[list[str | int]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    state: str = "shipped"

    @property
    def key(self) -> str:
        """Where it stands in the store."""
        return f"{MANIFESTS}/day={self.file[:10]}/{self.file}.{self.head[:DIGITS]}.json"

    def to_bytes(self, key: bytes) -> bytes:
        """Return it signed."""
        return sign(asdict(self), key)

    @classmethod
    def of(cls, content: bytes, key: bytes | None) -> Manifest:
        """Read what `to_bytes` wrote; a ValueError says what is wrong."""
        try:
            return cls(**check_signed(content, key))
        except TypeError:
            raise ValueError("it cannot be read") from None


@dataclass
class Shipped:
    """What was done.

    Attributes
    ----------
    files, bytes, decisions : int
        What was shipped.
    before : int
        Files that were there already.
    doubled : int
        Events that are not among the decisions, since another file had them.
    set_aside : int
        Lines that are no records that are known: in their file, and in no table.
    left : list of str
        Which files are not shipped, and why.
    """

    files: int = 0
    bytes: int = 0
    decisions: int = 0
    before: int = 0
    doubled: int = 0
    set_aside: int = 0
    left: list[str] = field(default_factory=list)


def ship(
    folder: Path,
    anchors: Path,
    key: bytes,
    store: Store,
    now: Callable[[], datetime],
    tell: Callable[[str], None] = lambda _: None,
) -> Shipped:
    """Ship what is closed and not in the store yet. It may be killed at any time, and called again.

    Parameters
    ----------
    folder, anchors : Path
        The log and its anchors.
    key : bytes
        The log's key.
    store : Store
    now : callable
        Gives the time.
    tell : callable
        Told the name of a file that is begun.

    Raises
    ------
    ShippingError
        If the store cannot be used, has another log, or is erased from at this moment.
    """
    check_owner(store, key, is_taken=True)
    with alone(folder, is_shipping=True), at_work(store, is_shipping=True):
        return _ship(folder, anchors, key, store, now, tell)


def _ship(
    folder: Path,
    anchors: Path,
    key: bytes,
    store: Store,
    now: Callable[[], datetime],
    tell: Callable[[str], None],
) -> Shipped:
    done, known, unpacked = Shipped(), dict[str, set[str]](), set[str]()
    for path in left_plain(folder, anchors, key):
        try:
            pack(path)  # what was closed lately, or left by who was killed
        except OSError as error:  # what is packed can be shipped all the same, and then purged
            unpacked.add(path.name)
            done.left.append(f"{path.name}: it could not be packed: {error.strerror or error}")
    erasures = Erasures.load(folder, key)
    if any(erasure.whose is not None for _, erasure in erasures.all):
        raise LogError("an erasure was ended in its midst: say its command again, and then ship.")
    whole: list[Manifest] = []
    parts: list[parquet.Part] = []

    def flush() -> None:
        done.doubled += parquet.add(store, parts)
        parts.clear()

    for path, anchor in _closed(folder, anchors, key, done.left, unpacked):
        day = path.name[:10]
        if day not in known:
            known[day] = set(store.keys(f"{MANIFESTS}/day={day}"))
        manifest = Manifest(path.name, anchor.hash, anchor.seq, f"{now():%Y-%m-%dT%H:%M:%SZ}")
        if manifest.key in known[day]:
            done.before += 1
            continue
        if faults := verify_file(folder, anchors, path.name, key):
            where = "" if faults[0].line is None else f", line {faults[0].line}"
            done.left.append(f"{path.name}{where}: {faults[0].why}")
            continue
        tell(path.name)
        name, set_aside = Path(manifest.key).stem, SetAside()
        manifest.objects.extend(
            _put_files(store, folder, anchors, path, f"{FILES}/day={day}/{name}", erasures)
        )
        for part in parquet.parts_of(path, name, set_aside):
            manifest.decisions.append(part.key)
            parts.append(part)
            done.decisions += part.events.len()
            if sum(one.events.len() for one in parts) >= TOGETHER_ROWS:
                flush()
                _finish(store, key, whole, done)
        whole.append(manifest)
        done.set_aside += sum(item.count for item in set_aside.all())
    flush()
    _finish(store, key, whole, done)
    done.decisions -= done.doubled
    return done


def check_owner(store: Store, key: bytes, is_taken: bool = False) -> None:
    """Check that a store has the files of the key's log; ``is_taken``: or that it is new, and take it.

    Raises
    ------
    ShippingError
        If it has not, or cannot be used.
    """
    said = store.get(OWNER)
    if said is None and is_taken:
        put_checked(store, OWNER, sign({"log": identity(key)}, key))
        return
    if said is None:
        raise ShippingError(f"nothing was shipped to the store {store}; look at its address.")
    try:
        check_signed(said, key)
    except ValueError:
        raise ShippingError(
            f"the store {store} has the files of another log, or of this one under another key; give each "
            "log a folder of its own."
        ) from None


def _closed(
    folder: Path, anchors: Path, key: bytes, left: list[str], told: Set[str]
) -> Iterator[tuple[Path, Anchor]]:
    """Give the packed files with their anchors: what is plain is still written, or cannot be packed.

    ``told`` are those of which ``left`` says so already.
    """
    for path in log_files(folder):
        try:
            anchor = read_anchor(anchors / f"{path.name}{ANCHOR}", key)
        except ValueError as error:
            left.append(f"{path.name}: {error}")
            continue
        is_packed = packed(path).exists() and not path.exists()
        if is_packed and anchor is None:
            left.append(f"{path.name}: the file has no anchor in the folder of anchors")
        elif is_packed and anchor is not None and anchor.state != "purged":
            yield path, anchor
        elif anchor is not None and anchor.state == "closed" and path.name not in told:
            left.append(f"{path.name}: it is closed, but could not be packed")


def _put_files(
    store: Store, folder: Path, anchors: Path, path: Path, under: str, erasures: Erasures
) -> list[list[str | int]]:
    """Put a file, its anchor, tables and erasures into the store; what is there already is not sent again."""
    there = store.keys(under)
    names = tables_of(path)
    tables = [*(place(folder / name) for name in names), *erasures.of_file(path.name, names)]
    objects: list[list[str | int]] = []
    for one in (packed(path), anchors / f"{path.name}{ANCHOR}", *tables):
        try:
            with open_regular(one) as file:
                content = file.read()
        except OSError as error:
            raise LogError(f"{one} cannot be read: {error.strerror}; let this user read it.") from error
        target, digest = f"{under}/{one.name}", hashlib.sha256(content).hexdigest()
        is_there = there.get(target) == len(content)
        if not is_there or hashlib.sha256(store.get(target) or b"").hexdigest() != digest:
            put_checked(store, target, content)
        objects.append([target, len(content), digest])
    return objects


def _finish(store: Store, key: bytes, whole: list[Manifest], done: Shipped) -> None:
    """Say in the store that files are there, whose parts all are."""
    days = {manifest.file[:10] for manifest in whole}
    there = [key for day in sorted(days) for key in parquet.of_day(store, day)]
    for manifest in whole:
        name = Path(manifest.key).stem
        for other in there:  # of a call that was killed, before the file came to have fewer decisions
            if Path(other).name.startswith(f"{name}.") and other not in manifest.decisions:
                store.remove(other)
        put_checked(store, manifest.key, manifest.to_bytes(key))
        done.files += 1
        done.bytes += sum(int(size) for _, size, _ in manifest.objects)
    whole.clear()
