"""Where closed files are shipped: a folder, or a bucket of an object store that speaks S3.

An object appears whole or not at all, under a key with slashes, and whoever reads next reads what was
written last.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from scoring.inference_log.disk import make_folder, sync_folder, write_new
from scoring.inference_log.record import LogError
from scoring.regular import open_regular

S3 = "s3://"
CLAIMS = "at-work"  # where those who change something say so, as long as they do
BOOT = Path("/proc/sys/kernel/random/boot_id")  # another one on each machine, and after each start
TRIES = 100  # to write into a folder that others remove as it becomes empty
DRAFT, STALE_S = ".part", 3_600.0  # nobody writes an object for so long: who did was killed


class ShippingError(LogError):
    """The store cannot be used now; the words say why, and the remedy."""


class Store(Protocol):
    """Objects under keys. Every method raises a `ShippingError` if the store cannot be used."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object, or write it anew; when this returns, it is there to stay."""

    def get(self, key: str) -> bytes | None:
        """Return an object, None if there is none."""

    def opened(self, key: str) -> IO[bytes] | None:
        """Return an object as a file that can be sought in, None if there is none."""

    def keys(self, under: str) -> dict[str, int]:
        """Return the keys of the objects under a folder, at any depth, with their sizes."""

    def folders(self, under: str) -> list[str]:
        """Return the names of the folders in a folder."""

    def remove(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""


def open_store(place: str) -> Store:
    """Return the store of a path or of ``s3://BUCKET/FOLDER``.

    What S3 needs beside it comes from where its tools look for it: AWS_ACCESS_KEY_ID and the like, ~/.aws,
    the machine's role. ``?endpoint_override=HOST:PORT&scheme=http`` names one that is not Amazon's.

    Raises
    ------
    ShippingError
        If it is neither.
    """
    if place.startswith(S3):
        return ObjectStore(place)
    if "://" in place or not place:
        raise ShippingError("the store cannot be used: give a folder, or s3://BUCKET/FOLDER.")
    return Folder(Path(place))


def put_checked(store: Store, key: str, content: bytes) -> None:
    """Write an object and read it back; raises a `ShippingError` if it did not come back as it was."""
    store.put(key, content)
    there = store.get(key)
    if there is None or hashlib.sha256(there).digest() != hashlib.sha256(content).digest():
        raise ShippingError(
            f"the store {store} does not give {key} back as it was written; nothing was removed here: look "
            "after the store, and say the same command again."
        )


@contextmanager
def at_work(store: Store, is_shipping: bool = False) -> Iterator[None]:
    """Be the only one that changes what a store has, on whatever machine; or one of several that add to it.

    Who begins says so in the store, and then looks: of two at once, the one that looks last sees both.

    Raises
    ------
    ShippingError
        If others are at work.
    """
    pid = os.getpid()
    mine = f"{CLAIMS}/{'shipping' if is_shipping else 'changing'}.{_machine()}-{_began(pid)}-{pid}"
    store.put(mine, b"1")
    try:
        for other in sorted(store.keys(CLAIMS)):
            kind, _, whose = other.removeprefix(f"{CLAIMS}/").partition(".")
            if other == mine or (is_shipping and kind == "shipping"):
                continue
            if _was_killed(whose):
                store.remove(other)
                continue
            raise ShippingError(
                f"an erasure, a purge or a shipment is at work on the store {store}: wait until it is done, "
                "and say the same command again. If it was killed with its machine, remove "
                f"{other} there first."
            )
        yield
    finally:
        store.remove(mine)


def _machine() -> str:
    """Return the name of this machine, or of this container: in each, the numbers of processes begin anew.

    Two machines may have one name, and two of their containers one number; no two were started as one.
    """
    boot = numbers = "0"
    with suppress(OSError):
        numbers = str(Path("/proc/self/ns/pid").stat().st_ino)
        boot = BOOT.read_text(encoding="ascii").strip().replace("-", "")
    return f"{socket.gethostname()}-{boot}-{numbers}"


def _began(pid: int) -> str | None:
    """Return when a process of this machine began, which tells it from a later one of its number.

    It is ``0`` of one that was killed and is waited for by its parent; None if it is not to be known.
    """
    try:
        state, *facts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return "0" if state == b"Z" else facts[18].decode()


def _was_killed(whose: str) -> bool:
    """Say whether a claim is of a process of this machine that is no more."""
    machine, began, number = whose.rsplit("-", 2) if whose.count("-") >= 2 else ("", "", "")
    if machine != _machine() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _began(int(number)) not in (began, None)


class Folder:
    """A store in a folder, on whatever disk or share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tidied: set[Path] = set()

    def __str__(self) -> str:
        """Say where it is."""
        return str(self.root)

    def put(self, key: str, content: bytes) -> None:
        """Write an object beside, sync it, and give it its name."""
        path = self.root / key
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}{DRAFT}")
        with self._usable():
            self._begin(draft, content)
            try:
                draft.rename(path)
            except OSError:
                draft.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)

    def _begin(self, draft: Path, content: bytes) -> None:
        """Write a draft, and make its folder again while others remove it with the last object in it."""
        for left in reversed(range(TRIES)):
            try:
                make_folder(draft.parent)
                self._tidy(draft.parent)
                write_new(draft, content)
            except (FileExistsError, FileNotFoundError):
                if not left:
                    raise
            else:
                return

    def get(self, key: str) -> bytes | None:
        """Return an object."""
        with self._usable():
            try:
                with open_regular(self.root / key) as file:
                    return file.read()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def opened(self, key: str) -> IO[bytes] | None:
        """Open an object."""
        with self._usable():
            try:
                return open_regular(self.root / key)
            except FileNotFoundError:
                return None

    def keys(self, under: str) -> dict[str, int]:
        """List objects."""
        found: dict[str, int] = {}
        with self._usable():
            for place, _, files in os.walk(self.root / under, onerror=_raise):
                for name in files:
                    path = Path(place, name)
                    with suppress(FileNotFoundError):  # it was removed meanwhile
                        if not name.endswith(DRAFT):
                            found[path.relative_to(self.root).as_posix()] = path.stat().st_size
        return found

    def folders(self, under: str) -> list[str]:
        """List folders."""
        with self._usable():
            try:
                with os.scandir(self.root / under) as found:
                    return sorted(entry.name for entry in found if entry.is_dir())
            except FileNotFoundError:
                return []

    def remove(self, key: str) -> None:
        """Remove an object, and its folder with the last one."""
        path = self.root / key
        with self._usable():
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                path.parent.rmdir()

    def _tidy(self, folder: Path) -> None:
        """Remove what those who were killed left."""
        if folder in self._tidied:
            return
        self._tidied.add(folder)
        for path in folder.glob(f".*{DRAFT}"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ShippingError(
                f"the store {self} cannot be used: {error.strerror}; make room or let this user write "
                "there, and say the same command again: what is there is not sent twice."
            ) from error


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


class ObjectStore:
    """A store in a bucket."""

    def __init__(self, place: str) -> None:
        from pyarrow import fs  # here: who ships to a folder does not wait for it

        self._place = place.split("?")[0]
        with self._usable():
            try:
                self._fs, root = fs.FileSystem.from_uri(place)
            except ValueError as error:
                raise OSError(str(error)) from None
            self._root = root.strip("/")
            if not self._root:
                raise OSError("its bucket is missing")

    def __str__(self) -> str:
        """Say where it is, without a key that may stand in it."""
        scheme, _, rest = self._place.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        with self._usable(), self._fs.open_output_stream(f"{self._root}/{key}") as stream:
            stream.write(content)

    def get(self, key: str) -> bytes | None:
        """Return an object."""
        with self._usable():
            try:
                with self._fs.open_input_stream(f"{self._root}/{key}") as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def opened(self, key: str) -> Any:
        """Open an object."""
        with self._usable():
            try:
                return self._fs.open_input_file(f"{self._root}/{key}")
            except FileNotFoundError:
                return None

    def keys(self, under: str) -> dict[str, int]:
        """List objects."""
        found = self._list(under, is_deep=True)
        return {one.path.removeprefix(f"{self._root}/"): int(one.size) for one in found if one.is_file}

    def folders(self, under: str) -> list[str]:
        """List folders."""
        return sorted(one.base_name for one in self._list(under, is_deep=False) if not one.is_file)

    def _list(self, under: str, is_deep: bool) -> list[Any]:
        from pyarrow import fs

        place = f"{self._root}/{under}".rstrip("/")
        with self._usable():
            found = self._fs.get_file_info(fs.FileSelector(place, recursive=is_deep, allow_not_found=True))
        return list(found)

    def remove(self, key: str) -> None:
        """Remove an object."""
        with self._usable(), suppress(FileNotFoundError):
            self._fs.delete_file(f"{self._root}/{key}")

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            words = str(error).splitlines()[0][:300]
            raise ShippingError(
                f"the store {self} cannot be used: {words}; look at its address, the keys and the bucket's "
                "rights and room, and say the same command again: what is there is not sent twice."
            ) from error
