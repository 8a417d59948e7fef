"""Where one signs in and out: a page of its own, without a script, that shows nothing of anybody."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlencode

import fastapi
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from ui import letter, login, place
from ui.header import addresses, tag
from ui.house import House
from ui.rendering import TEMPLATES, render
from ui.words import say

STYLE = (TEMPLATES / "login.css").read_text(encoding="utf-8")
NO_STORE = {"cache-control": "no-store"}


def entrance(doors: login.PasswordLogin, house: House) -> fastapi.APIRouter:
    """Return the addresses ``/en/login`` and ``/en/logout`` of every language.

    Parameters
    ----------
    doors : PasswordLogin
        Judges names and passwords.
    house : House
        Whose desk it is.
    """
    router = fastapi.APIRouter()

    @router.get("/{lang}/login")
    def ask(lang: str, next: str = "", out: str = "") -> Response:
        note = say("signed_out_now", lang) if out else ""
        return HTMLResponse(_page(lang, house, next=wanted(next), note=note), headers=NO_STORE)

    @router.post("/{lang}/login")
    async def enter(lang: str, request: fastapi.Request) -> Response:
        sent = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        name, password, where = (sent.get(key, [""])[0] for key in ("name", "password", "next"))
        scope = request.scope
        if not login.is_private(scope[login.SENT], scope):
            return HTMLResponse(_page(lang, house, wrong=say("https_needed", lang)), 403, NO_STORE)
        found = await run_in_threadpool(doors.enter, name, password, scope.get("client"))
        if isinstance(found, str):
            doors.sessions.end(scope[login.TOKEN])
            address = f"{scope['root_path']}/{lang}/{wanted(where)}"
            cookie = login.cookie(found, scope["root_path"], scope["scheme"])
            return RedirectResponse(address, 303, {"set-cookie": cookie, **NO_STORE})
        if found is None:
            wrong, status, more = say("wrong_password", lang), 401, {}
        else:
            wrong, status = say("too_many_failures", lang, login.minutes(found)), 429
            more = {"retry-after": str(round(found) + 1)}
        return HTMLResponse(_page(lang, house, wanted(where), name[:64], wrong), status, NO_STORE | more)

    @router.post("/{lang}/logout")
    def leave(lang: str, request: fastapi.Request) -> Response:
        scope = request.scope
        doors.sessions.end(scope[login.TOKEN])
        headers = {
            "set-cookie": login.cookie("", scope["root_path"], scope["scheme"]),
            "clear-site-data": '"storage"',  # edits that lie in the tab
        }
        address = f"{scope['root_path']}/{lang}/{login.PART}?{urlencode({'out': 'yes'})}"
        return RedirectResponse(address, 303, headers | NO_STORE)

    return router


def wanted(address: str) -> str:
    """Return a place of the page that may be led to, the start for anything else."""
    path, mark, query = address.partition("?")
    if not (place.PLACES.fullmatch(path) or letter.ADDRESS.fullmatch(path)):
        return ""
    return path + mark + quote(query[:2_000], safe="=&%+")


def _page(lang: str, house: House, next: str = "", name: str = "", wrong: str = "", note: str = "") -> str:
    """Return the page as HTML: after a failure with what is wrong, and the name that was typed."""
    return render(
        "login",
        lang,
        tag=tag(lang),
        style=Markup(STYLE),
        house=house,
        languages=addresses(),
        query=urlencode({"next": next}) if next else "",
        next=next,
        name=name,
        wrong=wrong,
        note=note,
    )
