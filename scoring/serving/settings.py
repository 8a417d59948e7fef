"""What the service takes from its settings: read once, paths in their place, limits in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scoring import settings
from scoring.serving.limits import KIB, MIB, USUAL, Limits
from scoring.settings import ROOT
from scoring.settings.setting import Networks, Setting, SettingError

NAME = "credit_scoring"
MANIFEST = ROOT.parent / "bento.yaml"  # there when this file runs from a bento
IS_BENTO = ROOT.name == "src" and MANIFEST.is_file()
HOME = Path.home() / f".{NAME}" if IS_BENTO else ROOT / "var"  # a bento's export would carry a log away


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes
    ----------
    model : str
        Tag in the BentoML model store.
    workers : int
        Processes that answer.
    spare : int
        Processes that are loaded beside them, and take the place of one that ends.
    log : Path or None
        Folder of the inference log; None for a pure demo.
    log_anchors : Path or None
        Folder of its anchors; None beside the log.
    instance : str
        Name of this one of several that write one log, "" of the only one.
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
    aside_rows, aside_concurrent : int
        The same for questions that decide nothing.
    changes_given : tuple of str, or None
        What a counterfactual may change; None for all that policy lets change. `changes` says it.
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
    log_anchors: Path | None
    monitoring: Path
    instance: str
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
    aside_rows: int
    aside_concurrent: int
    changes_given: tuple[str, ...] | None
    batch: int
    rate: float
    drain_s: float
    limits: Limits

    @property
    def changes(self) -> tuple[str, ...]:
        """What a counterfactual may change."""
        return _allowed(self.changes_given)

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
            If one cannot be used, or a variable is called like a setting and is none.
        """
        settings.refuse_unknown(environment)

        def place(setting: Setting[Path | None]) -> Path | None:
            found = setting.read(environment)
            return root / found if found else None

        def of_home(setting: Setting[Path]) -> Path:
            found = setting.read(environment)
            return root / found if setting.given(environment) else home / found.name

        index = settings.INDEX.read(environment)
        is_file = index not in ("", "off") and "://" not in index
        answer_s = settings.ANSWER_SECONDS.read(environment)
        changes = settings.CHANGES.read(environment)
        if changes is not None:
            _allowed(changes)
        return cls(
            model=settings.MODEL.read(environment),
            workers=settings.WORKERS.read(environment),
            spare=settings.SPARE.read(environment),
            log=None if settings.LOG.given(environment) == "off" else of_home(settings.LOG),
            log_anchors=place(settings.LOG_ANCHORS),
            monitoring=root / settings.MONITORING.read(environment),
            instance=settings.INSTANCE.read(environment),
            log_days=settings.LOG_DAYS.read(environment),
            key_file=of_home(settings.KEY_FILE),
            index=str(root / index) if is_file else index,
            api_keys=settings.API_KEYS.read(environment),
            api_key_file=place(settings.API_KEY_FILE),
            hosts=settings.HOSTS.read(environment),
            origins=settings.ORIGINS.read(environment),
            proxies=settings.PROXIES.read(environment),
            are_pages_private=settings.PRIVATE_PAGES.read(environment),
            rows=settings.ROWS.read(environment),
            explain_rows=settings.EXPLAIN_ROWS.read(environment),
            explain_concurrent=settings.EXPLAIN_CONCURRENT.read(environment),
            aside_rows=settings.ASIDE_ROWS.read(environment),
            aside_concurrent=settings.ASIDE_CONCURRENT.read(environment),
            changes_given=changes,
            batch=settings.BATCH.read(environment),
            rate=settings.RATE.read(environment),
            drain_s=settings.DRAIN_SECONDS.read(environment),
            limits=Limits(
                body_bytes=settings.BODY_MIB.read(environment) * MIB,
                bodies_bytes=settings.BODIES_MIB.read(environment) * MIB,
                header_bytes=settings.HEADER_KIB.read(environment) * KIB,
                concurrent=settings.CONCURRENT.read(environment),
                quick=settings.AT_ONCE.read(environment),
                header_s=settings.HEADER_SECONDS.read(environment),
                pause_s=settings.PAUSE_SECONDS.read(environment),
                body_s=settings.BODY_SECONDS.read(environment),
                answer_s=answer_s,
                arrow_s=max(USUAL.arrow_s, answer_s),
                arrow_rows=settings.TABLE_ROWS.read(environment),
            ),
        )


def _allowed(given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the levers that the lender allows."""
    from scoring.counterfactual.policy import POLICY  # here: BentoML's own process proposes nothing

    found = tuple(POLICY) if given is None else given if given != ("none",) else ()
    if unknown := [name for name in found if name not in POLICY]:
        raise SettingError(
            f"{settings.CHANGES.name} names {unknown[0]!r}, which is no change; give some of "
            f"{', '.join(POLICY)}, or none."
        )
    return found
