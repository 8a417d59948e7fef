"""Which model is served: chosen by the parent, tried in a process of its own, taken up by the workers.

The parent judges nothing: what loads a scorer is imported where a worker needs it.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml
import yaml
from bentoml.exceptions import BentoMLException, NotFound

from scoring.serving.settings import IS_BENTO, MANIFEST, NAME
from scoring.trial import try_out

if TYPE_CHECKING:
    from scoring.decider import Decider

SERVED = f"_{NAME}_served"  # tells a worker which file names the model that its parent chose
LOOK_S = 0.01

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name


def chosen(asked: str) -> str:
    """Return the exact tag to serve: the one that the parent chose, or `newest`."""
    if SERVED in os.environ:
        return Path(os.environ[SERVED]).read_text(encoding="ascii")
    return newest(asked)


def newest(asked: str) -> str:
    """Return the exact tag of the bento's own model, else of the one that was asked for."""
    if IS_BENTO:
        manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
        models = manifest.get("models") or [
            model for item in manifest["services"] for model in item["models"]
        ]
        return str(models[0]["tag"])
    try:
        return str(bentoml.models.get(asked).tag)
    except NotFound:
        remedy = "train one with `python train.py --demo 20000` and import it with `python import_model.py`"
        raise BentoMLException(f"There is no model {asked} in the BentoML model store; {remedy}.") from None


def folder(tag: str) -> Path:
    """Return where the model store keeps a model."""
    return Path(bentoml.models.get(tag).path)


def load(tag: str) -> Decider:
    """Load a scorer and prove that it decides here as it did in training.

    Raises
    ------
    ScorerError
        If it reads other features than this code makes, or its golden examples score otherwise.
    """
    from scoring.decider import Decider
    from scoring.proof import check, warm
    from scoring.scorer import Scorer, read_examples

    place = folder(tag)
    scorer, examples = Scorer.load(place), read_examples(place)
    check(scorer, examples)
    warm(scorer, examples)
    return Decider(scorer, tag)


def choose(served: Path, tag: str) -> None:
    """Write down, in one step, which model the workers serve, those too that start later."""
    draft = served.with_suffix(".draft")
    draft.write_text(tag, encoding="ascii")
    draft.replace(served)
    os.environ[SERVED] = str(served)


def allow() -> None:
    """Let the workers load the model that was chosen: it is proven."""
    _allowed().touch()


def await_proof() -> None:
    """Wait, in a worker, until its parent allows to load a model; at once where it has none.

    If it never does, it ends: it tells its workers, and they are bound to it.
    """
    while SERVED in os.environ and not _allowed().exists():
        time.sleep(LOOK_S)


def _allowed() -> Path:
    return Path(os.environ[SERVED]).with_name("allowed")


def renew(asked: str) -> bool:
    """Choose anew, for the parent: what cannot serve never reaches a worker. Say whether it changed.

    The new model is tried in a process of its own, so that nothing in it can end this one.
    """
    served = Path(os.environ[SERVED])
    try:
        tag = newest(asked)
        if tag == served.read_text(encoding="ascii"):
            logger.info("reload: %s is the newest model; nothing changes", tag)
            return False
        try_out(folder(tag), tag)
        choose(served, tag)
    except Exception as error:  # whatever is wrong with the new one, the old one is right
        logger.error("reload refused: %s The model from before goes on.", why(error))
        return False
    logger.info("reload: the workers take up %s", tag)
    return True


def why(error: Exception) -> str:
    """Return what may be logged of a model that cannot be taken up."""
    from scoring.scorer import ScorerError

    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or tempfile.gettempdir()} cannot be used: {error.strerror}."
    return str(error) if isinstance(error, ScorerError | BentoMLException) else f"{type(error).__name__}."
