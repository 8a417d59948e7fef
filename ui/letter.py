"""The letter about a recorded decision, in the client's language: HTML that prints on a page, and PDF."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from scoring.language import day, joined, moment, number, small
from scoring.schema import FoundDecision
from ui.header import tag
from ui.house import House
from ui.rendering import TEMPLATES, render
from ui.service import ServedModel
from ui.words import of_service, say

ADDRESS = re.compile(r"letter/([0-9A-Za-z_-]{1,64})\.(html|pdf)")
PATIENCE_S = 30  # for a PDF: a cold Chromium takes a few seconds
STYLE = (TEMPLATES / "letter.css").read_text(encoding="utf-8")


class PrintError(RuntimeError):
    """Chromium made no PDF."""


def html(found: FoundDecision, model: ServedModel, house: House, now: datetime, lang: str) -> str:
    """Return the letter, whole and with nothing loaded from elsewhere.

    What holds is what a person decided last: where a review decided otherwise, the model's reasons are no
    reasons of the decision.
    """
    again, reviewed = found.explanation, found.reviewed
    holds = reviewed.decision if reviewed else found.decision
    has_reasons = holds == "refused" and found.decision == "refused" and again is not None
    points = model.points
    themes = [of_service(words, lang) for words in model.facts["groups"].values()]
    return render(
        "letter",
        lang,
        tag=tag(lang),
        style=Markup(STYLE),
        house=house,
        today=day(now, lang),
        found=found,
        holds=holds,
        decided=say("letter_decided", lang, day=day(found.time, lang)),
        reviewed=say("letter_reviewed", lang, day=day(reviewed.time, lang)) if reviewed else "",
        reasons=[of_service(reason.text, lang) for reason in again.reasons] if again and has_reasons else [],
        score=say(
            "letter_score",
            lang,
            score=number(int(points.of(found.probability_of_default)), lang),
            line=number(int(points.of(found.threshold)), lang),
            time=moment(found.time, lang),
        ),
        scale=say("letter_scale", lang, low=number(house.scale[0], lang), high=number(house.scale[1], lang))
        if house.scale
        else "",
        themes=joined([small(theme, lang) for theme in themes], lang),
    )


def name(found: FoundDecision, lang: str, kind: str) -> str:
    """Return the name of the letter's file: decision, day, language."""
    return f"{say('letter_file', lang)}-{found.event_id[:8]}-{found.time:%Y-%m-%d}-{lang}.{kind}"


def chromium() -> str | None:
    """Return the Chromium of this machine; None without one, and then there is no PDF."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pdf(letter: str, program: str) -> bytes:
    """Return a letter as tagged PDF.

    Raises
    ------
    PrintError
        If Chromium gives none in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        page, printed = Path(folder) / "letter.html", Path(folder) / "letter.pdf"
        page.write_text(letter, encoding="utf-8")
        options = ["--headless", "--disable-gpu", "--no-pdf-header-footer", "--export-tagged-pdf"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # the sandbox refuses root
        command = [program, *options, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}"]
        try:
            subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=PATIENCE_S)
            return printed.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise PrintError(f"Chromium made no PDF ({type(error).__name__}).") from None
