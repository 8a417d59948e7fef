"""`python -m ui`: serve the officer's page."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from scoring import settings
from scoring.language import LanguageError, languages, load
from scoring.settings.setting import SettingError
from ui import house, login
from ui.accounts import AccountError
from ui.address import AddressError, PageAccess, listening, prefix

PORTFOLIO = Path("var/demo")

err = Console(stderr=True, highlight=False, soft_wrap=True)
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def serve(
    api: Annotated[str, typer.Option(help="Address of the scoring service.")] = "http://127.0.0.1:3000",
    portfolio: Annotated[
        Path, typer.Option(help="Folder or zip of Home Credit tables whose clients can be opened.")
    ] = PORTFOLIO,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the page.")] = 7860,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on: a loopback one, or with a login any."),
    ] = "127.0.0.1",
    root_path: Annotated[
        str, typer.Option(help="Path of the page behind a proxy, as /desk; CREDIT_SCORING_PROXIES names it.")
    ] = "",
    certificate: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM) for TLS without a proxy.", exists=True)
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) of the certificate.", exists=True)
    ] = None,
    lang: Annotated[str | None, typer.Option(help="First language; else the browser's.")] = None,
) -> None:
    """Serve the officer's page, in every language that has a catalogue.

    Without a login it answers on this machine only, on a loopback address. CREDIT_SCORING_USERS names a
    file of users, CREDIT_SCORING_USER_HEADER a header in which a listed proxy says who is there; passwords
    go over TLS only.

    Example: python -m ui --api http://127.0.0.1:3000 --portfolio var/demo
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not api.startswith(("http://", "https://")):
        _stop(f"--api {api!r} is no address; write it like http://127.0.0.1:3000.")
    if portfolio != PORTFOLIO and not portfolio.exists():
        _stop(f"--portfolio {portfolio} does not exist; make one with python -m scoring.synthetic.")
    try:
        load()
        if lang is not None and lang not in languages():
            _stop(f"--lang {lang!r} has no catalogue; choose one of {', '.join(languages())}.")
        settings.refuse_unknown(os.environ)
        root, whose = prefix(root_path), house.of(os.environ)
        hosts, origins = settings.HOSTS.read(os.environ), settings.ORIGINS.read(os.environ)
        access = PageAccess(root, settings.PROXIES.read(os.environ), hosts, origins)
        doors = login.of(os.environ, access)
        address = listening(host, doors.is_asked)
    except (AccountError, AddressError, LanguageError, SettingError) as error:
        _stop(str(error))
    if (certificate is None) != (certificate_key is None):
        _stop("--certificate and --certificate-key go together.")
    is_six = ":" in address
    with socket.socket(socket.AF_INET6 if is_six else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            _stop(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port.")
    # Uvicorn raises the signal again when it has stopped: as an exit it lets the uploads be deleted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="credit-scoring-ui-") as temporary:
        keep_private(Path(os.environ.setdefault("GRADIO_TEMP_DIR", temporary)))
        import uvicorn  # late, like the page itself: --help and mistakes answer at once

        from ui.clients import Clients
        from ui.sealed import SealError
        from ui.server import page
        from ui.service import Service

        service = Service(api, settings.API_KEY.read(os.environ) or None)
        shown = f"[{address}]" if is_six else address
        try:
            access = replace(access, hosts=(*hosts, shown))
            web = page(service, Clients(portfolio), lang, whose, access, doors)
        except SealError as error:
            _stop(str(error))
        scheme = "http" if certificate is None else "https"
        err.print(f"The page is on {scheme}://{shown}:{port}{root} and asks {api}. Stop it with Ctrl-C.")
        # Who brings a request is judged in `ui.address`, so uvicorn keeps out of it; the page has no sockets.
        uvicorn.run(
            web,
            host=address,
            port=port,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=certificate_key,
        )


def keep_private(uploads: Path) -> None:
    """Set what Gradio reads once: no telemetry, no table of times, uploads that nobody else can read."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)  # else it is made anew at every event
    uploads.mkdir(parents=True, exist_ok=True)
    uploads.chmod(0o700)


def _stop(sentence: str) -> NoReturn:
    """Say what is wrong with the command, and end."""
    err.print(f"error: {sentence}", style="red", markup=False)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
