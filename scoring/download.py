"""Fetch the Home Credit archive that the public course offers, and go on where an earlier try stopped."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

URL = (
    "https://s3-eu-west-1.amazonaws.com/static.oc-static.com/prod/courses/files/Parcours_data_scientist/"
    "Projet+-+Impl%C3%A9menter+un+mod%C3%A8le+de+scoring/"
    "Projet+Mise+en+prod+-+home-credit-default-risk.zip"
)
BY_HAND = (
    "By hand: make a Kaggle account, accept the rules of the competition 'home-credit-default-risk', "
    "download its zip in a browser and save it as {target}; it is read as it is, never unpacked."
)


class DownloadError(Exception):
    """The archive could not be fetched; the text says why and what to do."""


def fetch(url: str, target: Path, progress: Callable[[int, int | None], None] | None = None) -> None:
    """Write the zip at `url` to `target`, which appears only when it is whole and is a zip.

    Parameters
    ----------
    url : str
        Address of a zip.
    target : Path
        File to write. What has come so far waits beside it as ``<target>.part``; the next call goes on from
        there if the server still has the same file.
    progress : callable, optional
        Called with the bytes that are there and the bytes in all (None where the server does not say).

    Raises
    ------
    DownloadError
        If the server cannot be reached, refuses, breaks off, or sends something that is not a zip.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    # The server's mark of the file that `part` begins: the rest of a changed file must not be glued to it.
    mark = target.with_name(target.name + ".mark")
    have = part.stat().st_size if part.exists() and mark.exists() else 0
    ask = {"Range": f"bytes={have}-", "If-Range": mark.read_text(encoding="utf-8")} if have else {}
    # Compressed on the way, the bytes counted here would not be the file's.
    ask["Accept-Encoding"] = "identity"
    try:
        with httpx.stream("GET", url, headers=ask, follow_redirects=True, timeout=30) as answer:
            if answer.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                answer.raise_for_status()
                _append(answer, part, mark, have, progress)
    except httpx.HTTPStatusError as error:
        raise DownloadError(f"The server answers {error.response.status_code} for {url}.") from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise DownloadError(
            f"The download broke off ({reason}); the same command goes on from there."
        ) from error
    if not zipfile.is_zipfile(part):
        part.unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
        raise DownloadError(f"What {url} sent is not a zip; it was thrown away.")
    part.replace(target)
    mark.unlink(missing_ok=True)


def _append(
    answer: httpx.Response,
    part: Path,
    mark: Path,
    have: int,
    progress: Callable[[int, int | None], None] | None,
) -> None:
    """Write the body behind the `have` bytes that are there, or from the start if the server sends it all."""
    if answer.status_code != httpx.codes.PARTIAL_CONTENT:
        have = 0
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else None
    tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    if tag and not tag.startswith("W/"):  # a weak mark promises no equal bytes
        mark.write_text(tag, encoding="utf-8")
    else:
        mark.unlink(missing_ok=True)
    with part.open("ab" if have else "wb") as file:
        for chunk in answer.iter_raw():
            file.write(chunk)
            have += len(chunk)
            if progress:
                progress(have, total)


def main(
    out: Annotated[Path, typer.Option(help="The zip to write.")] = Path("var/home-credit.zip"),
    url: Annotated[str, typer.Option(help="Address of the zip.")] = URL,
) -> None:
    """Download the real Home Credit tables, about 700 MB. An interrupted download resumes.

    Example: python -m scoring.download --out var/home-credit.zip
    """
    console = Console(stderr=True, soft_wrap=True)
    if out.is_dir():
        console.print(f"--out {out} is a folder; give the zip to write, such as {out / 'home-credit.zip'}.")
        raise typer.Exit(2)
    if out.exists():
        console.print(f"{out} is already there; delete it to download it again.")
        return
    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
            task = bars.add_task(out.name, total=None)
            fetch(url, out, lambda have, total: bars.update(task, completed=have, total=total))
    except DownloadError as error:
        console.print(f"{error}\n{BY_HAND.format(target=out)}", style="red", highlight=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("Stopped; the same command goes on from here.")
        raise typer.Exit(130) from None
    console.print(f"{out} is there. Train on it: python train.py --portfolio {out}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
