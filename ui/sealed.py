"""Gradio with its holes closed: what it does in private that this page must change, in one place.

Written for Gradio 6.31. `seal` tries at every start that each part still does what is said here, and raises
`SealError` where one does not: a page that may be open is not served.

`Blocks.has_launched`
    Gradio looks whether a file that a request names was uploaded only where this is set, and mounting an
    application does not set it: without it any request reads any file of the machine.
`Blocks.preprocess_data`
    Everything that a request brings to a handler, by whichever route, goes through it. Here each input is
    taken as the kind of value that its component gives, and nothing else.
`processing_utils.hash_seed`
    Uploads lie in folders named by a hash of this and of their content. Gradio keeps it in a file beside its
    own code; a secret of this process alone makes the names such that nobody can guess them.
`Blocks._queue.sleep_when_free`
    The queue of a page that nobody uses wakes this often, in seconds, to look for work: a thousand times a
    second as it comes, for each language.
"""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError

from ui.uploads import is_upload

logger = logging.getLogger(__name__)

IDLE_S = 0.02  # half of it is what a click waits on average


class SealError(RuntimeError):
    """Gradio is not as this module knows it, so the page could be open."""


class Sealed(gr.Blocks):
    """Blocks whose handlers get only what their components give.

    Attributes
    ----------
    refusal : str
        The sentence for anything else. It repeats nothing of what was sent.
    """

    refusal = ""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Take the inputs of a handler, or refuse them with `refusal`."""
        try:
            if block_fn.fn is None:
                raise ValueError("this event has no handler")
            taken = [take(block)(value) for block, value in zip(block_fn.inputs, inputs, strict=True)]
            return await super().preprocess_data(block_fn, taken, state, explicit_call)  # type: ignore[no-any-return]
        except Exception as error:  # the border: whatever Gradio says of an input may repeat it
            logger.warning("the page refused an input: %s", type(error).__name__)
            raise gr.Error(self.refusal, print_exception=False) from None


def seal(blocks: Sealed) -> None:
    """Close what Gradio leaves open, and try that it is closed.

    Raises
    ------
    SealError
        If a part of Gradio is gone or does something else, or a handler has an input of unknown kind.
    """
    for block_fn in blocks.fns.values():
        for block in block_fn.inputs:
            take(block)
    wanted = ["self", "block_fn", "inputs", "state", "explicit_call"]
    if not (
        list(inspect.signature(gr.Blocks.preprocess_data).parameters) == wanted
        and "preprocess_data" in inspect.getsource(gr.Blocks.process_api)
        and isinstance(processing_utils.hash_seed, bytes)
        and hasattr(blocks, "has_launched")
        and isinstance(getattr(blocks._queue, "sleep_when_free", None), float)
    ):
        raise SealError(_moved())
    blocks.has_launched = True
    blocks._queue.sleep_when_free = IDLE_S
    processing_utils.hash_seed = secrets.token_bytes(32)
    before = LocalContext.blocks.get(None)
    LocalContext.blocks.set(blocks)
    try:
        processing_utils._check_allowed(__file__, check_in_upload_folder=True)
    except InvalidPathError:
        return
    finally:
        LocalContext.blocks.set(before)
    raise SealError(_moved())


def take(block: Any) -> Callable[[Any], Any]:
    """Return the function that takes a value from a component, or raises ValueError."""
    for kind, taken in _KINDS.items():
        if isinstance(block, kind):
            return taken
    raise SealError(
        f"a handler of the page reads a {type(block).__name__}; say in ui/sealed.py what it gives."
    )


def _moved() -> str:
    return (
        f"Gradio {gr.__version__} is not built as ui/sealed.py knows it, so requests could read files of "
        "this machine; install the version of requirements.txt."
    )


def _nothing(_value: Any) -> None:
    """Take nothing: a state lives on the server, whatever is sent for it."""


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError("no text")


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("no switch")


def _texts(value: Any) -> dict[str, str] | None:
    if value is None or (isinstance(value, dict) and all(isinstance(text, str) for text in value.values())):
        return value
    raise ValueError("no texts by name")


def _file(value: Any) -> dict[str, Any] | None:
    """Take an upload as its path alone: its address, its first name and the rest are the server's to say."""
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(path := value.get("path"), str) and is_upload(path):
        return {"path": path, "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}
    raise ValueError("no upload")


_KINDS: dict[type, Callable[[Any], Any]] = {
    gr.State: _nothing,
    gr.Textbox: _text,
    gr.Checkbox: _switch,
    gr.Button: _text,
    gr.JSON: _texts,
    gr.File: _file,
}
