"""A file that is scored: its progress, its summary, what is taken away."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import polars as pl
from polars.exceptions import PanicException

from scoring.language import number
from ui import batch, download, filed
from ui.handling import Handling, Updates
from ui.rendering import render
from ui.words import say


@dataclass
class FileJob:
    """A file that is being scored; whoever holds it may ask for its end."""

    is_cancelled: bool = False


class Filing(Handling):
    """What happens to a file."""

    def score_file(self, path: str | None, keep_unknown: bool, is_preview: bool = False) -> Iterator[Updates]:
        """Score an upload: give its progress, then the summary and the files to download.

        Parameters
        ----------
        path : str, optional
            Where the upload lies.
        keep_unknown : bool
            Carry columns that no application has through to the answer.
        is_preview : bool
            Decide nothing: the answers are previews.
        """
        job = FileJob()
        yield {
            "job": job,
            "cancel": gr.Button(visible=True),
            "summary": render("progress", self.lang, text=say("batch_reading", self.lang), done=0, total=1),
        } | self._downloads({})
        try:
            yield from self._score_file(path, keep_unknown, is_preview, job)
        except (Exception, PanicException) as error:  # the border, as in `guarded`
            yield {"summary": self.failure(error), "cancel": gr.Button(visible=False)}

    def _score_file(
        self, path: str | None, keep_unknown: bool, is_preview: bool, job: FileJob
    ) -> Iterator[Updates]:
        over = {"cancel": gr.Button(visible=False)}
        if not path:
            yield {"summary": self._message("batch_none")} | over
            return
        upload, service = Path(path), self.service
        is_preview = is_preview or not self.person.may("decide")
        ask = functools.partial(service.score_table, purpose="preview") if is_preview else service.score_table
        found = batch.read(upload, self.lang, keep_unknown)
        parts: list[pl.DataFrame] = []
        model = service.model()
        for done, part in batch.score(found, ask, model, self.clients, self.lang):
            if job.is_cancelled:
                counts = {
                    "done": number(done, self.lang),
                    "all": number(len(found.table), self.lang),
                }
                # What came back before was decided: nobody is told that nothing happened.
                said = "batch_cancelled_preview" if is_preview else "batch_cancelled"
                yield {"summary": self._message(said, **counts)} | over
                return
            parts.append(part)
            yield {"summary": filed.progress(done, len(found.table), self.lang)}
        scored = batch.scored(found, parts)
        # Gradio copies what it is given into its own private folder; ours goes as soon as it has done so.
        with tempfile.TemporaryDirectory() as folder:
            name = Path(folder) / f"{upload.stem}-{say('batch_suffix', self.lang)}"
            files = {
                ending: download.write(
                    scored, name.with_name(name.name + ending), say("batch_sheet", self.lang)
                )
                for ending in download.FORMATS
            }
            yield {"summary": filed.summary(scored, self.lang, is_preview)} | self._downloads(files) | over

    def _downloads(self, files: Mapping[str, Path]) -> Updates:
        """Offer files to take away; without any, hide what offers them."""
        return {
            f"download_{ending[1:]}": gr.DownloadButton(
                value=str(files[ending]) if files else None, visible=bool(files)
            )
            for ending in download.FORMATS
        }

    def cancel_file(self, job: FileJob | None) -> Updates:
        """Stop scoring a file before its next part."""
        if job is not None:
            job.is_cancelled = True
        return {"cancel": gr.Button(visible=False)}
