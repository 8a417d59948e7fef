"""What lies in archives: one file of a zip or a gzip, unpacked for as long as it is read, and no bomb."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from scoring.tables.faults import TableError

PACKED = (".gz", ".zip")
MOST_DEEP = 3  # archives in one another
SPARE_BYTES = 2**28  # left free on the disk
LONGEST_NAME = 100  # letters of a name that are kept: its ending is among them
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, RuntimeError, OSError),
)
"""What the readers of archives raise over what is none, or packed in a way that they do not know."""
MOST_RATIO = 2_000  # unpacked to packed; deflate reaches 1,032


def members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the files of a zip by their path with slashes, and the names that the zip has for them.

    Some programs write backslashes, and macOS adds files of its own.

    Raises
    ------
    TableError
        If a file is there twice: one of them would be passed over in silence.
    """
    found: dict[str, str] = {}
    for info in archive.infolist():
        path = info.filename.replace("\\", "/")
        if path.endswith("/") or path.startswith("__MACOSX/") or PurePosixPath(path).name.startswith("."):
            continue
        if path in found:
            label, number = Path(archive.filename or "the zip").name, len(found) + 1
            raise TableError("name_twice_inside", file=label, number=number)
        found[path] = info.filename
    return found


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose end is there; its directory may still be damaged."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise damaged(path.name) from error
    with archive:
        yield archive


def damaged(label: str) -> TableError:
    """Return the error for an archive that cannot be unpacked."""
    return TableError("damaged", file=label)


@contextmanager
def member(archive: zipfile.ZipFile, name: str, label: str, most_bytes: int | None = None) -> Iterator[Path]:
    """Unpack one file of a zip into a temporary folder.

    Raises
    ------
    TableError
        If it needs a password, is damaged, or is larger than it may be: said or real.
    """
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise TableError("locked", file=label)
    if info.file_size > MOST_RATIO * max(info.compress_size, 512):
        raise too_large(label)
    base = PurePosixPath(name.replace("\\", "/")).name
    with _folder(label, info.file_size, most_bytes) as folder:
        target = folder / f"_{base[-LONGEST_NAME:]}"
        try:
            with archive.open(info) as source:
                _copy(source, target, label, info.file_size)
        except BROKEN as error:
            raise damaged(label) from error
        yield target


@contextmanager
def plain(path: Path, label: str, most_bytes: int | None = None, depth: int = 0) -> Iterator[Path]:
    """Give a file as it is, or what a ``.gz`` or a ``.zip`` of one file holds.

    Raises
    ------
    TableError
        If it holds more than one, or cannot be unpacked.
    """
    kind = path.suffix.lower()
    if kind not in PACKED:
        yield path
        return
    if depth == MOST_DEEP:
        raise TableError("archive_in_archive", file=label)
    if kind == ".gz":
        packed = path.stat().st_size
        most = min(MOST_RATIO * max(packed, 512), most_bytes or 2**63)
        with _folder(label, min(packed, most), None) as folder:
            target = folder / path.stem
            most = min(most, _free(folder))
            try:
                with gzip.open(path) as source:
                    _copy(source, target, label, most)
            except BROKEN as error:
                raise damaged(label) from error
            with plain(target, label, most_bytes, depth + 1) as found:
                yield found
        return
    with opened(path) as archive:
        inside = members(archive)
        if len(inside) != 1:
            raise TableError("not_one_inside", file=label, files=len(inside))
        with (
            member(archive, next(iter(inside.values())), label, most_bytes) as inner,
            plain(inner, label, most_bytes, depth + 1) as unpacked,
        ):
            yield unpacked


@contextmanager
def _folder(label: str, size: int, most_bytes: int | None) -> Iterator[Path]:
    """Make a temporary folder that has room for so many bytes."""
    with tempfile.TemporaryDirectory(prefix="portfolio-") as made:
        folder = Path(made)
        if size > _free(folder) or (most_bytes is not None and size > most_bytes):
            raise too_large(label)
        yield folder


def _free(folder: Path) -> int:
    return max(0, shutil.disk_usage(folder).free - SPARE_BYTES)


def too_large(label: str) -> TableError:
    """Return the error for what would be too large."""
    return TableError("too_large", file=label)


def _copy(source: IO[bytes] | gzip.GzipFile, target: Path, label: str, most: int) -> None:
    """Write what an archive holds, up to so many bytes."""
    left = most
    with target.open("wb") as copy:
        while block := source.read(2**20):
            left -= len(block)
            if left < 0:
                raise too_large(label)
            copy.write(block)
