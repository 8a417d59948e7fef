"""The file of users: names, roles, and passwords as scrypt leaves them.

A line is ``name:role:scrypt:LOG2_N:R:P:SALT:HASH``; `python -m ui.users` writes it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scoring.regular import read_regular
from ui.people import NAME, ROLES, Role

logger = logging.getLogger(__name__)

LEAST, MOST = 12, 256  # characters of a password
_SALT, _HASH = 16, 32  # bytes
_DEAREST = 20, 32, 16  # beyond this a line asks for more than a gigabyte


class AccountError(ValueError):
    """The file of users cannot be used, or a change to it; the message is a sentence."""


@dataclass(frozen=True)
class HashCost:
    """What scrypt costs: 32 MB and a quarter of a second, three of OWASP's ways to the same strength."""

    log2_n: int = 15
    r: int = 8
    p: int = 3

    def hash(self, password: str, salt: bytes) -> bytes:
        """Return the hash of a password, however its letters are composed."""
        text = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
        n = 2**self.log2_n
        room = 128 * self.r * (n + self.p) + 2**20
        return hashlib.scrypt(text, salt=salt, n=n, r=self.r, p=self.p, maxmem=room, dklen=_HASH)


USUAL = HashCost()


@dataclass(frozen=True)
class Account:
    """A user: role, and password as a hash."""

    name: str
    role: Role
    salt: bytes
    hash: bytes
    cost: HashCost = USUAL

    def opens(self, password: str) -> bool:
        """Say whether a password is the right one; how long that takes says nothing of how much is right."""
        return hmac.compare_digest(self.cost.hash(password, self.salt), self.hash)

    @property
    def line(self) -> str:
        """The account as the file has it."""
        numbers = (str(number) for number in (self.cost.log2_n, self.cost.r, self.cost.p))
        return ":".join((self.name, self.role, "scrypt", *numbers, _encode(self.salt), _encode(self.hash)))


def account(name: str, role: str, password: str, cost: HashCost | None = None) -> Account:
    """Return a new account, at the usual cost where none is given.

    Raises
    ------
    AccountError
        If the name is none, the role unknown, or the password short.
    """
    checked = check_role(role)
    if not NAME.fullmatch(name):
        raise AccountError(
            "a user name has 1 to 64 letters, digits and . _ @ + - signs, a letter or digit first."
        )
    if not LEAST <= len(password) <= MOST:
        raise AccountError(f"a password has {LEAST} to {MOST} characters; a few words are best.")
    salt, cost = secrets.token_bytes(_SALT), cost or USUAL
    return Account(name, checked, salt, cost.hash(password, salt), cost)


def check_role(role: str) -> Role:
    """Return a role, or raise `AccountError`."""
    for known in ROLES:
        if role == known:
            return known
    raise AccountError(f"there is no such role; choose one of {', '.join(ROLES)}.")


def read(text: str, source: str) -> dict[str, Account]:
    """Read a file of users; an empty line or one that begins with ``#`` is none.

    Raises
    ------
    AccountError
        Naming the line, never its content.
    """
    found: dict[str, Account] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, role, kind, log2_n, r, p, salt, hashed = line.strip().split(":")
            cost = HashCost(int(log2_n), int(r), int(p))
            one = Account(name, check_role(role), _decode(salt), _decode(hashed), cost)
        except (ValueError, binascii.Error):
            one = None
        if one is None or not _is_sound(one) or kind != "scrypt" or name in found:
            raise AccountError(f"line {number} of {source} is no user; `python -m ui.users` writes the file.")
        found[name] = one
    return found


def write(path: Path, accounts: Mapping[str, Account]) -> None:
    """Write a file of users, whole or not at all, for its owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.writelines(f"{one.line}\n" for one in accounts.values())
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


class Accounts:
    """The users of a file, read again when it changes: who is taken out of it is out at once.

    Raises
    ------
    AccountError
        If the file cannot be read, or names nobody.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._look()
        self._found = self._read()
        self._nobody = self._stranger()

    def __len__(self) -> int:
        """Count the users."""
        return len(self._found)

    def find(self, name: str) -> Account | None:
        """Return a user as the file has it now."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._found = self._read()
                self._nobody = self._stranger()
            except AccountError as error:  # half-written, or gone: nobody gets in by breaking the file
                logger.warning("%s The users from before stay.", error)
        return self._found.get(name)

    def check(self, name: str, password: str) -> Account | None:
        """Return the user whose name and password these are; one without an account costs the same time."""
        found = self.find(name)
        is_right = (found or self._nobody).opens(password[: MOST + 1])
        return found if is_right else None

    def _stranger(self) -> Account:
        """Return an account that no password opens, as dear as the others."""
        cost = next(iter(self._found.values())).cost
        return Account("", "tester", secrets.token_bytes(_SALT), secrets.token_bytes(_HASH), cost)

    def _look(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> dict[str, Account]:
        found = load(self.path)
        if not found:
            raise AccountError(f"the file of users {self.path} names nobody; `python -m ui.users add` does.")
        return found


def load(path: Path) -> dict[str, Account]:
    """Read the users of a file.

    Raises
    ------
    AccountError
        If it cannot be read.
    """
    try:
        return read(read_regular(path).decode("ascii"), str(path))
    except OSError as error:
        raise AccountError(f"the file of users {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise AccountError(f"the file of users {path} is not plain ASCII text.") from error


def _is_sound(one: Account) -> bool:
    numbers = (one.cost.log2_n, one.cost.r, one.cost.p)
    is_bearable = all(1 <= number <= most for number, most in zip(numbers, _DEAREST, strict=True))
    return bool(NAME.fullmatch(one.name)) and is_bearable and bool(one.salt) and len(one.hash) == _HASH


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
