"""An alarm to another program, by a webhook: what moved, where, why, what it costs; no value of a person."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from monitoring.report import Report, headline, named

ATTEMPTS, TIMEOUT_S = 3, 10.0
MOST = 20  # origins that are named


class UntoldError(RuntimeError):
    """The other side did not take the alarm."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else than to the address that was set."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


def content(report: Report) -> dict[str, Any]:
    """Return what is sent. Levels of categories are left out: a client may have written any word."""
    window, judgement = report.standing.window, report.judgement
    causes = {cause.origin: cause for cause in report.causes}
    return {
        "text": f"{report.model}: {headline(report)}",
        "exit_code": report.code,
        "model": report.model,
        "since": report.standing.since.isoformat() if report.standing.since else None,
        "window": named(window)() if window else None,
        "decisions": judgement.rows if judgement else 0,
        "alarms": [one.name for one in (*(judgement.alarms if judgement else ()), *report.rejected.alarms)],
        "origins": [
            {
                "origin": group.origin,
                "is_source": group.is_source,
                "inputs": group.inputs,
                "cause": cause.kind if (cause := causes.get(group.origin)) else None,
                "changed": cause.changed if cause else None,
                "cost": cause.cost if cause else None,
            }
            for group in (judgement.groups[:MOST] if judgement else ())
        ],
        "again": report.again,
    }


def tell(url: str, report: Report, sleep: Callable[[float], None] = time.sleep) -> None:
    """Send an alarm, at most three times.

    Raises
    ------
    UntoldError
        If it was not taken. The address is not repeated, as it may hold a secret.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UntoldError("CREDIT_SCORING_MONITOR_WEBHOOK is no address of http or https.")
    body = json.dumps(content(report)).encode()
    opener = urllib.request.build_opener(_NoRedirect)
    for turn in range(ATTEMPTS):
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        try:
            with opener.open(request, timeout=TIMEOUT_S):
                return
        except urllib.error.HTTPError as error:
            error.close()
            why, is_final = f"status {error.code}", error.code < 500 and error.code != 429
        except (OSError, HTTPException) as error:
            why, is_final = type(error).__name__, False
        if is_final or turn == ATTEMPTS - 1:
            raise UntoldError(
                f"the webhook did not take the alarm: {why}; the report is written all the same."
            )
        sleep(2.0**turn)
