"""Who is there: nobody asks, a proxy says it, or the page asks for a name and a password.

Gradio's own login is not used: it has no roles, its sessions last as long as the process, and any number of
passwords may be tried.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from threading import Semaphore
from typing import Any, Protocol

from scoring import settings
from scoring.serving.rate import of_address
from scoring.settings.setting import Environment, SettingError
from ui.accounts import Accounts
from ui.address import PageAccess
from ui.people import AT_THE_MACHINE, NAME, ROLES, Person, Role
from ui.sessions import Failures, Sessions

PART, LEAVE = "login", "logout"
"""Where one signs in, and where out, behind the language."""

COOKIE = "credit_scoring_desk"
AT_ONCE = 4  # passwords that are judged at a time: each takes 32 MB
LONGEST_TURN_S = 2.0
ANYBODY = "*"
SENT, TOKEN, PERSON = "credit_scoring.sent", "credit_scoring.token", "credit_scoring.person"
"""Where a scope carries the request as it came, the token in it, and who asks."""

Scope = Mapping[str, Any]


@dataclass(frozen=True)
class Stranger:
    """Why a request is nobody's: a text of the page, and whether signing in would help."""

    text: str
    can_enter: bool = False


@dataclass(frozen=True)
class Knock:
    """A request: as it came, as it was sent to the first proxy, and whether a person did something by it.

    What a person does keeps a session from ending of idleness.
    """

    sent: Scope
    resolved: Scope
    is_use: bool = False


class Login(Protocol):
    """Says who asks.

    Attributes
    ----------
    is_asked : bool
        Whether anybody is asked at all.
    """

    is_asked: bool

    def who(self, asked: Knock, /) -> Person | Stranger:
        """Return who asks."""


class NoLogin:
    """The page serves its own machine: whoever sits there may do everything."""

    is_asked = False

    def who(self, _asked: Knock, /) -> Person | Stranger:
        """Return whoever it is."""
        return AT_THE_MACHINE


@dataclass(frozen=True)
class ProxyLogin:
    """A proxy asks, by OpenID Connect or otherwise, and says in a header who is there.

    Attributes
    ----------
    access : PageAccess
        Knows the listed proxies: of others, no word is taken.
    header, groups : bytes
        Headers with the user name, and with groups between commas; b"" for none.
    roles : mapping of str to str
        Roles of names, of ``@groups``, and of ``*``, anybody.
    """

    access: PageAccess
    header: bytes
    groups: bytes
    roles: Mapping[str, Role]
    is_asked = True

    def who(self, asked: Knock, /) -> Person | Stranger:
        """Return whom the proxy names; the most specific role holds."""
        sent = asked.sent
        named = [value.decode("latin-1") for name, value in sent["headers"] if name == self.header]
        if len(named) != 1 or not NAME.fullmatch(named[0]) or not self.access.is_listed(sent.get("client")):
            return Stranger("nobody_named")
        said = b",".join(value for name, value in sent["headers"] if self.groups and name == self.groups)
        groups = [f"@{group.strip()}" for group in said.decode("latin-1").split(",")]
        for key in (named[0], *groups, ANYBODY):
            if role := self.roles.get(key):
                return Person(named[0], role)
        return Stranger("no_role")


class PasswordLogin:
    """The page asks for a name and a password, and remembers who gave them by a cookie.

    Parameters
    ----------
    accounts : Accounts
        Who may sign in.
    idle_s : float
        A session without use ends after this.
    clock : callable
        Seconds from any fixed moment on; never goes back.
    """

    is_asked = True

    def __init__(
        self, accounts: Accounts, idle_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.accounts = accounts
        self.sessions = Sessions(idle_s, clock)
        self.failures = Failures(clock)
        self._turns = Semaphore(AT_ONCE)

    def who(self, asked: Knock, /) -> Person | Stranger:
        """Return whose session the cookie is, as the file of users has the person now."""
        if not is_private(asked.sent, asked.resolved):
            return Stranger("https_needed")
        token = token_of(asked.sent)
        found = self.sessions.find(token, asked.is_use) if token else None
        account = self.accounts.find(found.name) if found else None
        if found is None or account is None or account.hash != found.secret:
            return Stranger("signed_out", can_enter=True)
        return Person(account.name, account.role, can_leave=True)

    def enter(self, name: str, password: str, client: Any) -> str | float | None:
        """Return the token of a new session, None if name or password is wrong.

        A number is the seconds after which one may try again; that depends on the failures alone, never on
        whether there is such a user.
        """
        who, address = name.strip()[:64], of_address(str((client or ("",))[0]))
        if wait_s := self.failures.wait_s(who, address):
            return wait_s
        if not self._turns.acquire(timeout=LONGEST_TURN_S):  # a crowd takes no threads from those who work
            return 1.0
        try:
            self.failures.count(who, address)  # before it is judged: many at a time would all be the first
            account = self.accounts.check(who, password)
        finally:
            self._turns.release()
        if account is None:
            return None
        self.failures.forgive(who, address)
        return self.sessions.begin(account.name, account.hash)


def of(environment: Environment, access: PageAccess) -> Login:
    """Return who asks, as the environment says.

    Raises
    ------
    SettingError
        If its settings do not fit together.
    ui.accounts.AccountError
        If the file of users cannot be used.
    """
    file: Path | None = settings.USERS.read(environment)
    header = settings.USER_HEADER.read(environment).lower()
    groups = settings.GROUPS_HEADER.read(environment).lower()
    roles = dict(settings.ROLES.read(environment))
    if file and header:
        raise SettingError(
            f"{settings.USERS.name} and {settings.USER_HEADER.name} exclude each other: either the page asks "
            "who is there, or a proxy does; unset one."
        )
    if file:
        return PasswordLogin(Accounts(file), 60.0 * settings.SESSION_MINUTES.read(environment))
    if not header:
        if access.proxies:
            raise SettingError(
                f"{settings.PROXIES.name} lets others in from other machines, and nothing says who they are. "
                "Name a file of users (CREDIT_SCORING_USERS), or the header in which the proxy says who is "
                "there (CREDIT_SCORING_USER_HEADER)."
            )
        return NoLogin()
    if not access.proxies:
        raise SettingError(
            f"{settings.USER_HEADER.name} needs a proxy that is listed in CREDIT_SCORING_PROXIES."
        )
    if not roles or set(roles.values()) - set(ROLES) or (groups and groups == header):
        raise SettingError(
            f"{settings.ROLES.name} says which role each has whom the proxy names: "
            f"ada=supervisor; @credit-officers=officer; *=tester. There are {', '.join(ROLES)}."
        )
    known: dict[str, Role] = {key: role for key, name in roles.items() for role in ROLES if role == name}
    return ProxyLogin(access, header.encode(), groups.encode(), known)


def is_private(sent: Scope, resolved: Scope) -> bool:
    """Say whether nobody between can read: TLS, or a request that does not leave this machine."""
    if resolved.get("scheme") == "https":
        return True
    is_passed_on = any(name.startswith((b"x-forwarded", b"forwarded")) for name, _ in sent["headers"])
    client = sent.get("client")
    if is_passed_on or client is None:
        return not is_passed_on
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (inner or address).is_loopback


def token_of(sent: Scope) -> str:
    """Return the token of a request's cookie, "" without one; a cookie that is sent twice is none."""
    jars = [value.decode("latin-1") for name, value in sent["headers"] if name == b"cookie"]
    pairs = [pair.strip().partition("=") for jar in jars for pair in jar.split(";")]
    found = [value for name, _, value in pairs if name == COOKIE and re.fullmatch(r"[\w-]{1,64}", value)]
    return found[0] if len(found) == 1 else ""


def cookie(token: str, root: str, scheme: str) -> str:
    """Return the header that sets the cookie of a session; without a token, one that takes it back."""
    end = "" if token else "; Max-Age=0"
    secure = "; Secure" if scheme == "https" else ""
    return f"{COOKIE}={token}; Path={root}/; HttpOnly; SameSite=Lax{secure}{end}"


def minutes(wait_s: float) -> int:
    """Return a wait in whole minutes, at least one."""
    return max(1, math.ceil(wait_s / 60))


def own(session: str, sent: Scope, person: Person) -> str:
    """Return the name of one of Gradio's sessions that nobody else can name, whoever guesses ``session``."""
    if person.role is None:
        return session
    whose = token_of(sent) if person.can_leave else person.name
    return f"{hashlib.sha256(whose.encode()).hexdigest()[:16]}-{session}"
