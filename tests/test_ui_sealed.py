"""A page whose Gradio is not as it is known is not served; what is known is shut."""

import asyncio
import inspect
import os
from pathlib import Path

import gradio as gr
import pytest
from gradio import processing_utils

from ui.sealed import IDLE_S, Sealed, SealError, seal
from ui.uploads import has_room, is_upload


def page_that_reads(component: type[gr.components.Component]) -> Sealed:
    async def make() -> Sealed:  # inside a loop: elsewhere Gradio makes one that nobody closes
        with Sealed(analytics_enabled=False) as made:
            made.refusal = "No."
            gr.Button().click(lambda value: value, component(), gr.HTML())
        return made

    return asyncio.run(make())


@pytest.fixture
def blocks() -> Sealed:
    return page_that_reads(gr.Textbox)


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def test_only_what_a_component_gives_reaches_its_handler(blocks: Sealed) -> None:
    seal(blocks)
    (event,) = blocks.fns.values()
    assert asyncio.run(blocks.preprocess_data(event, ["7"], None)) == ["7"]
    for inputs in (
        [7],
        [["7"]],
        [{"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}],
        [],
        ["7", "8"],
    ):
        with pytest.raises(gr.Error) as refused:
            asyncio.run(blocks.preprocess_data(event, inputs, None))
        assert refused.value.message == "No."


def test_a_page_that_nobody_uses_rests_between_its_looks_for_work(blocks: Sealed, monkeypatch) -> None:
    seal(blocks)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        blocks._queue.stopped = len(waits) == 3

    monkeypatch.setattr("gradio.queueing.asyncio.sleep", wait)
    asyncio.run(blocks._queue.start_processing())
    assert waits == [IDLE_S] * 3


def test_a_component_that_nobody_described_stops_the_start() -> None:
    with pytest.raises(SealError, match="a handler of the page reads a Image"):
        seal(page_that_reads(gr.Image))


@pytest.mark.parametrize(
    ("target", "name", "instead"),
    [
        (processing_utils, "_check_allowed", lambda *_args, **_options: None),
        (gr.Blocks, "process_api", lambda _self: None),
        (gr.Blocks, "preprocess_data", lambda _self, _inputs: None),
        (processing_utils, "hash_seed", "known"),
    ],
)
def test_a_gradio_that_is_built_otherwise_stops_the_start(
    blocks: Sealed, monkeypatch, target: object, name: str, instead: object
) -> None:
    monkeypatch.setattr(target, name, instead)
    with pytest.raises(SealError, match=r"install the version of requirements\.txt"):
        seal(blocks)


def test_nobody_can_guess_where_an_upload_lies(blocks: Sealed, tmp_path: Path) -> None:
    """Its folder is named by a hash with a secret of this process: the content alone does not tell it."""
    (tmp_path / "a.csv").write_text("SK_ID_CURR\n1\n")
    names = set()
    for _ in range(2):
        seal(blocks)
        names.add(processing_utils.hash_file(tmp_path / "a.csv"))
        assert "hash_seed" in inspect.getsource(gr.route_utils.GradioUploadFile)
    assert len(names) == 2


def test_an_upload_is_a_file_in_a_folder_of_its_own_and_nothing_else(uploads: Path, tmp_path: Path) -> None:
    own = uploads / ("a" * 64)
    own.mkdir()
    (own / "mine.csv").write_text("x")
    (own / "link.csv").symlink_to("/etc/hostname")
    (own / "beside.csv").symlink_to(own / "mine.csv")
    (own / "folder").mkdir()
    (uploads / "loose.csv").write_text("x")
    (tmp_path / "outside.csv").write_text("x")
    assert is_upload(str(own / "mine.csv"))
    for path in (
        own / "link.csv",
        own / "beside.csv",
        own / "folder",
        own / "none.csv",
        own,
        uploads / "loose.csv",
        own / ".." / ".." / "outside.csv",
        "mine.csv",
        "",
        "\0",
        "/" + "x" * 5_000,
    ):
        assert not is_upload(str(path)), path


def test_uploads_that_broke_off_go_and_a_full_folder_takes_no_more(uploads: Path, monkeypatch) -> None:
    (uploads / "tmpold").write_text("x")
    os.utime(uploads / "tmpold", (0, 0))
    (uploads / "tmpnew").write_text("x")
    assert has_room()
    assert [path.name for path in uploads.iterdir()] == ["tmpnew"]
    monkeypatch.setattr("ui.uploads.MOST", 100)
    assert not has_room()
