"""The folder of what officers upload and take away: which files are in it, and whether there is room."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from gradio.utils import get_upload_folder

LARGEST = 200 * 2**20  # bytes of one upload
MOST = 4 * 2**30  # bytes of all that lie there
KEEP_S = 3_600  # uploads and results of a page that was left are deleted after this
PAUSE_S = 120  # an upload that stands still for longer has broken off

_FOLDER = re.compile(r"[0-9a-f]{64}")  # as Gradio names the folder of one file


def is_upload(path: str) -> bool:
    """Say whether a path is that of a file that was uploaded to the page, or that the page gives back."""
    folder, named = Path(get_upload_folder()).resolve(), Path(path)
    try:
        found = named.resolve(strict=True)
        return (
            named.is_absolute()
            and found.parent.parent == folder
            and bool(_FOLDER.fullmatch(found.parent.name))
            and found.is_file()
            and not named.is_symlink()
        )
    except (OSError, ValueError, RuntimeError):  # a name that is too long, a null, a loop of links
        return False


def has_room() -> bool:
    """Say whether one more upload may begin, after what uploads that broke off have left was deleted.

    Gradio deletes whole files only.
    """
    used, folder, now = 0, Path(get_upload_folder()), time.time()
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # another request deletes too
            found = path.lstat()
            if path.parent == folder and path.is_file() and now - found.st_mtime > PAUSE_S:
                path.unlink()
            else:
                used += found.st_size
    return used + LARGEST <= MOST
