"""Requests that the service rejected, which never reach its log: by client, column and fault, no value.

The service counts them for Prometheus, from the start of its processes on. Each run reads these counts and
keeps what they grew by under the day of the run, the first one none; counts hold no person and no value.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.client import HTTPException
from pathlib import Path

from monitoring.errors import InputError
from monitoring.ledger import Ledger
from monitoring.words import Said
from scoring.regular import read_regular

REJECTED, DECISIONS = "credit_scoring_rejected_total", "credit_scoring_decisions_total"
LABELS = ("client", "field", "code")
SAMPLE = re.compile(r"(?m)^(\w+)\{([^}\n]*)\} (\S+)")  # as BentoML writes one; names of keys have no brace
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
KEY, COUNTED = "rejected", "counted"
DAYS = 7  # that a report shows
# Of a client's column in a day, and of all: as the alert `RequestsRejected`.
MANY, SHARE = 20, 0.05
TIMEOUT_S, MOST_BYTES = 10.0, 2**24
Counts = Counter[tuple[str, str, str]]
NONE = ("", "", "")  # under which decisions are counted beside


@dataclass(frozen=True)
class Rejections:
    """Requests that were rejected.

    Attributes
    ----------
    days : mapping of date to Counter
        By day, and in it by client, column and fault; decisions under `NONE`.
    today : date
    """

    days: Mapping[date, Counts] = field(default_factory=dict)
    today: date = date.min

    @property
    def rows(self) -> list[tuple[tuple[str, str, str], int]]:
        """Client, column and fault, and how often: the most first."""
        whole: Counts = Counter()
        for counts in self.days.values():
            whole.update(counts)
        return sorted(
            ((key, n) for key, n in whole.items() if key != NONE), key=lambda one: (-one[1], one[0])
        )

    @property
    def alarms(self) -> list[Said]:
        """What is wrong with the newest day, today or yesterday: a column that is sent otherwise."""
        newest = max(self.days, default=None)
        if newest is None or self.today - newest > timedelta(days=1):
            return []
        counts = self.days[newest]
        total = sum(counts.values()) - counts[NONE]
        if total <= SHARE * counts[NONE]:
            return []
        fields: Counter[tuple[str, str]] = Counter()
        for (client, name, _), n in counts.items():
            fields[client, name] += n if name else 0
        share = total / (total + counts[NONE])
        return [
            Said("rejected_alarm", {"n": n, "word": name, "other_word": client or "–", "share": share})
            for (client, name), n in fields.most_common()
            if n > MANY
        ]


def read(source: str, api_key: str | None = None) -> Counts:
    """Return what a service has counted since it began.

    Parameters
    ----------
    source : str
        Address of its ``/metrics``, or a file of what stands there.
    api_key : str, optional
        Where its pages need one.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        if source.startswith(("http://", "https://")):
            asked = urllib.request.Request(source, headers={"x-api-key": api_key} if api_key else {})
            with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
                text = answer.read(MOST_BYTES).decode()
        else:
            text = read_regular(Path(source)).decode()
    except (OSError, HTTPException, ValueError) as error:
        why = f"status {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise InputError(
            f"the counts of rejected requests cannot be read ({why}); give --rejected the address of the "
            "service's /metrics, or a file of it."
        ) from None
    found: Counts = Counter()
    for name, labels, value in SAMPLE.findall(text):
        if name in (REJECTED, DECISIONS):
            said = dict(LABEL.findall(labels))
            key = NONE if name == DECISIONS else tuple(said.get(label, "") for label in LABELS)
            found[key] += round(float(value))
    return found


def count(ledger: Ledger, source: str, now: Counts, today: date) -> None:
    """Keep what counts grew by since the last time; those that fell are of a service that began anew.

    What a service had counted before it was first read is of days that nobody knows, and counts under none.
    """
    kept = ledger.kept(KEY)
    place = f"{COUNTED} {source}"
    if place not in kept:
        ledger.keep(KEY, {place: _written(now)})
        return
    before = _counts(kept[place])
    day = _counts(kept.get(today.isoformat()))
    for key, n in now.items():
        day[key] += n - before[key] if n >= before[key] else n
    ledger.keep(KEY, {place: _written(now), today.isoformat(): _written(+day)})


def latest(ledger: Ledger, today: date) -> Rejections:
    """Return what was counted in the latest days."""
    since = (today - timedelta(days=DAYS - 1)).isoformat()
    kept = ledger.kept(KEY).items()
    days = {
        date.fromisoformat(name): _counts(content)
        for name, content in kept
        if not name.startswith(COUNTED) and since <= name
    }
    return Rejections({day: counts for day, counts in days.items() if counts}, today)


def _counts(content: bytes | None) -> Counts:
    return Counter({(client, name, code): n for client, name, code, n in json.loads(content or b"[]")})


def _written(counts: Counts) -> bytes:
    return json.dumps([[*key, n] for key, n in sorted(counts.items())]).encode()
