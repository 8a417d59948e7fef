"""The settings of the service: environment variables, each in the README's one table.

Only the names and the bounds stand here; what a setting does is said where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from scoring.serving.forwarded import Networks
from scoring.serving.limits import USUAL, Limits

MIB, KIB = 2**20, 2**10
NAME = "credit_scoring"
ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT.parent / "bento.yaml"  # there when this file runs from a bento
IS_BENTO = ROOT.name == "src" and MANIFEST.is_file()
HOME = Path.home() / f".{NAME}" if IS_BENTO else ROOT / "var"  # a bento's export would carry a log away


class SettingError(ValueError):
    """An environment variable cannot be used."""


def names(environment: Mapping[str, str], variable: str) -> tuple[str, ...]:
    """Return the names that a variable lists between commas or spaces, in lower case."""
    return tuple(environment.get(variable, "").lower().replace(",", " ").split())


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes
    ----------
    model : str
        Tag in the BentoML model store, "" for the newest.
    workers : int
        Processes that answer.
    spare : int
        Processes that are loaded beside them, and take the place of one that ends.
    log : Path or None
        Folder of the inference log; None for a pure demo.
    log_heads : Path or None
        Folder of its anchors; None beside the log.
    log_days : int or None
        Days that it is kept; None keeps all.
    key_file : Path
        Key of the pseudonyms.
    index : str
        Where decisions are found again: a path, a URL, "" for a file beside the log, "off" for nowhere.
    api_keys : str
    api_key_file : Path or None
    hosts, origins : tuple of str
    proxies : tuple of networks
        Who may say for whom a request is.
    are_pages_private : bool
    rows, explain_rows : int
        Applications in one JSON request to /score and to /explain.
    explain_concurrent : int
        Explanations inside a worker at once.
    batch : int
        Most requests to /score that are merged; 1 merges none.
    rate : float
        Requests a second of one key, or of one address without keys; 0 for any number.
    drain_s : float
        Seconds between "not ready" and the end.
    limits : Limits
    """

    model: str
    workers: int
    spare: int
    log: Path | None
    log_heads: Path | None
    log_days: int | None
    key_file: Path
    index: str
    api_keys: str
    api_key_file: Path | None
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    proxies: Networks
    are_pages_private: bool
    rows: int
    explain_rows: int
    explain_concurrent: int
    batch: int
    rate: float
    drain_s: float
    limits: Limits

    @classmethod
    def read(cls, environment: Mapping[str, str], root: Path = ROOT, home: Path = HOME) -> Settings:
        """Read the environment.

        Parameters
        ----------
        environment : mapping of str to str
        root : Path
            A relative path counts from here, wherever the server was started.
        home : Path
            Where the log and the key of the pseudonyms lie by default.

        Raises
        ------
        SettingError
            If a number is none, or out of its bounds, or a switch is neither on nor off.
        """

        def text(name: str, default: str = "") -> str:
            return environment.get(name) or default

        def path(name: str) -> Path | None:
            return root / text(name) if text(name) else None

        def number(name: str, default: float, low: float, high: float) -> float:
            given = text(name, str(default))
            try:
                value = float(given)
            except ValueError:
                value = float("nan")
            if not low <= value <= high:
                raise SettingError(f"{name}={given} cannot be used; give a number from {low:g} to {high:g}.")
            return value

        def whole(name: str, default: int, high: int, low: int = 1) -> int:
            value = number(name, default, low, high)
            if value != int(value):
                raise SettingError(f"{name}={value:g} cannot be used; give a whole number.")
            return int(value)

        def switch(name: str) -> bool:
            given = text(name, "off")
            if given not in ("on", "off"):
                raise SettingError(f"{name}={given} cannot be used; give on or off.")
            return given == "on"

        def networks(name: str) -> Networks:
            try:
                return tuple(ip_network(part) for part in names(environment, name))
            except ValueError as error:
                raise SettingError(
                    f"{name} cannot be used: {error}; give addresses or networks, as 10.0.0.7,10.1.0.0/16."
                ) from None

        def index(name: str) -> str:
            given = text(name)
            scheme = given.partition("://")[0].partition("+")[0] if "://" in given else ""
            if scheme not in ("", "sqlite", "postgresql"):
                raise SettingError(
                    f"{name} cannot be used; give the path of a file, sqlite:///PATH, "
                    "postgresql://USER:PASSWORD@HOST/DATABASE, or off."
                )
            return given if scheme or given in ("", "off") else str(root / given)

        log = text("CREDIT_SCORING_LOG", str(home / "log"))
        body_s = number("CREDIT_SCORING_BODY_SECONDS", USUAL.body_s, 1, 3_600)
        answer_s = number("CREDIT_SCORING_ANSWER_SECONDS", USUAL.answer_s, 1, 3_600)
        return cls(
            model=text("CREDIT_SCORING_MODEL"),
            workers=whole("CREDIT_SCORING_WORKERS", 1, 64),
            spare=whole("CREDIT_SCORING_SPARE", 1, 8, low=0),
            log=None if log == "off" else root / log,
            log_heads=path("CREDIT_SCORING_LOG_HEADS"),
            log_days=whole("CREDIT_SCORING_LOG_DAYS", 1, 36_500) if text("CREDIT_SCORING_LOG_DAYS") else None,
            key_file=path("CREDIT_SCORING_KEY_FILE") or home / "pseudonym.key",
            index=index("CREDIT_SCORING_INDEX"),
            api_keys=text("CREDIT_SCORING_API_KEYS"),
            api_key_file=path("CREDIT_SCORING_API_KEY_FILE"),
            hosts=names(environment, "CREDIT_SCORING_HOSTS"),
            origins=names(environment, "CREDIT_SCORING_ORIGINS"),
            proxies=networks("CREDIT_SCORING_PROXIES"),
            are_pages_private=switch("CREDIT_SCORING_PRIVATE_PAGES"),
            rows=whole("CREDIT_SCORING_ROWS", 10_000, 100_000),
            explain_rows=whole("CREDIT_SCORING_EXPLAIN_ROWS", 100, 10_000),
            explain_concurrent=whole("CREDIT_SCORING_EXPLAIN_CONCURRENT", 16, 10_000),
            batch=whole("CREDIT_SCORING_BATCH", 64, 4_096),
            rate=number("CREDIT_SCORING_RATE", 0, 0, 1e6),
            drain_s=number("CREDIT_SCORING_DRAIN_SECONDS", 2, 0, 3_600),
            limits=Limits(
                body_bytes=whole("CREDIT_SCORING_BODY_MIB", USUAL.body_bytes // MIB, 2_048) * MIB,
                bodies_bytes=whole("CREDIT_SCORING_BODIES_MIB", USUAL.bodies_bytes // MIB, 65_536, low=8)
                * MIB,
                head_bytes=whole("CREDIT_SCORING_HEADER_KIB", USUAL.head_bytes // KIB, 1_024) * KIB,
                concurrent=whole("CREDIT_SCORING_CONCURRENT", USUAL.concurrent, 100_000),
                quick=whole("CREDIT_SCORING_AT_ONCE", USUAL.quick, 100_000, low=0),
                head_s=number("CREDIT_SCORING_HEADER_SECONDS", USUAL.head_s, 0.1, 3_600),
                pause_s=number("CREDIT_SCORING_PAUSE_SECONDS", USUAL.pause_s, 0.1, 3_600),
                body_s=body_s,
                answer_s=answer_s,
                arrow_s=max(USUAL.arrow_s, answer_s),
                arrow_rows=whole("CREDIT_SCORING_TABLE_ROWS", USUAL.arrow_rows, 10_000_000),
            ),
        )
