"""The compressed form of a file of the log: blocks of zstd, each of which first says how long it is."""

from __future__ import annotations

import io
import os
import struct
from io import BufferedReader
from typing import IO, Any

UNPACKED_BYTES = 2**28  # four times a full file, and little enough to be read through: what is longer stays
MOST = 2**24  # in a block that is read
LEVEL = 3  # zstd's own default: each further one costs more than it saves
_SIZES = struct.Struct("<IIQQ")  # a frame that zstd skips: mark, bytes that follow, then what is in them
_SKIPPED = 0x184D2A50
_SLACK = 2**16  # by which a frame of what cannot be packed is longer than that


class DamagedError(OSError):
    """A packed file cannot be unpacked, or not to a file of a length that is ever written."""

    def __init__(self, why: str = "it is damaged and cannot be unpacked") -> None:
        super().__init__(0, why)


def pack_bytes(content: bytes | memoryview) -> bytes:
    """Return content as a block: a zstd frame, after one that zstd skips, which says how long both are."""
    import pyarrow as pa  # here: reading the first application does not wait for it

    frame: bytes = pa.Codec("zstd", compression_level=LEVEL).compress(content, asbytes=True)
    return _SIZES.pack(_SKIPPED, _SIZES.size - 8, len(content), len(frame)) + frame


def _sizes(file: IO[bytes], most: int) -> tuple[int, int] | None:
    """Read how long the next block of a packed file is, unpacked and packed; None at the end of the file."""
    said = file.read(_SIZES.size)
    if not said:
        return None
    if len(said) == _SIZES.size:
        mark, size, plain, frame = _SIZES.unpack(said)
        if (mark, size) == (_SKIPPED, _SIZES.size - 8) and plain <= most and frame <= plain + _SLACK:
            return plain, frame
    raise DamagedError


def unpack_bytes(file: IO[bytes], most: int) -> bytes | None:
    """Return what the next block of a packed file holds, None at the end.

    Raises
    ------
    DamagedError
        If it is none, or holds more than so many bytes, of which nothing is unpacked then.
    """
    import pyarrow as pa

    sizes = _sizes(file, most)
    if sizes is None:
        return None
    plain, frame = sizes
    packed = file.read(frame)
    try:
        content: bytes = pa.Codec("zstd").decompress(packed, plain, asbytes=True)
    except OSError:
        raise DamagedError from None
    return content


def skip(file: IO[bytes], offset: float) -> int:
    """Go to the block of a packed file that has a byte of the plain one; return how much comes before it."""
    passed, start = 0, 0
    while sizes := _sizes(file, MOST):
        plain, frame = sizes
        if passed + plain > min(offset, UNPACKED_BYTES):
            break
        start = file.seek(frame, os.SEEK_CUR)
        passed += plain
    file.seek(start)
    return passed


class _Unpacked(io.RawIOBase):
    """The content of a packed file, as it is read: never more than a block of it in memory."""

    def __init__(self, file: BufferedReader, passed: int) -> None:
        self._file = file
        self._passed = passed
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def _next(self) -> bytes:
        block = unpack_bytes(self._file, MOST) or b""
        self._passed += len(block)
        if self._passed > UNPACKED_BYTES:
            raise DamagedError("it unpacks to more than any file that is written")
        return block

    def readall(self) -> bytes:
        rest, self._block = bytes(self._block), memoryview(b"")
        return b"".join([rest, *iter(self._next, b"")])

    def readinto(self, buffer: Any) -> int:
        if not self._block:
            self._block = memoryview(self._next())
        some = self._block[: len(buffer)]
        buffer[: len(some)] = some
        self._block = self._block[len(some) :]
        return len(some)

    def close(self) -> None:
        self._file.close()
        super().close()


def unpacked(file: BufferedReader, offset: int = 0) -> BufferedReader:
    """Return a reader of what a packed file holds from a byte on, which closes the file with itself.

    Reading raises a `DamagedError` where it cannot go on.
    """
    passed = skip(file, offset) if offset else 0
    reader: BufferedReader[Any] = BufferedReader(_Unpacked(file, passed), 2**16)
    reader.read(offset - passed)
    return reader
