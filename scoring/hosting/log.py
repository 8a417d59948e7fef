"""The inference log as the settings name it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from scoring.inference_log import InferenceLog, anchors_folder, log_key
from scoring.serving.settings import Settings

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name


def open_log(settings: Settings, worker: str, model: str, categories: Sequence[str]) -> InferenceLog | None:
    """Open the inference log for one worker process; None if nothing is to be recorded."""
    if settings.log is None:
        return None
    anchors = settings.log_anchors or anchors_folder(settings.log)
    return InferenceLog(
        settings.log,
        f"{settings.instance}-{worker}" if settings.instance else worker,
        log_key(settings.key_file, settings.log, anchors, is_shared=bool(settings.instance)),
        model,
        categories=categories,
        anchors=anchors,
        keep_days=settings.log_days,
        announce=logger.info,
        is_packed=True,
    )
