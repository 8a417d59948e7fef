"""The download: whole or not there, resumed and never glued, refused in words."""

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scoring.download import DownloadError, fetch, main


def archive(fill: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("application_train.csv", fill * 50_000)
    return buffer.getvalue()


class Shop(ThreadingHTTPServer):
    """A loopback server with one file, which can break off, forget ranges, or refuse."""

    body, tag, breaks_at, status, ranges = archive(b"a"), '"one"', 0, 200, True
    asked: list[int]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/home-credit.zip"


class Handler(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        shop, start = self.server, 0
        if shop.status != 200:
            self.send_error(shop.status)
            return
        wanted = self.headers.get("Range")
        if wanted and shop.ranges and self.headers.get("If-Range") == shop.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(shop.body):
            self.send_error(416)
            return
        shop.asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(shop.body) - start))
        self.send_header("ETag", shop.tag)
        self.end_headers()
        self.wfile.write(shop.body[start : shop.breaks_at or None])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "var" / "home-credit.zip"


def break_off(shop: Shop, target: Path, at: int = 20_000) -> None:
    shop.breaks_at = at
    with pytest.raises(DownloadError, match="goes on from there"):
        fetch(shop.url, target)
    shop.breaks_at = 0


def test_the_whole_file_arrives_and_progress_is_told(shop: Shop, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch(shop.url, target, lambda have, total: seen.append((have, total)))
    assert target.read_bytes() == shop.body
    assert seen[-1] == (len(shop.body), len(shop.body))
    assert [file.name for file in target.parent.iterdir()] == [target.name]


def test_a_broken_download_leaves_no_zip_and_goes_on_where_it_stopped(shop: Shop, target: Path) -> None:
    break_off(shop, target)
    assert not target.exists()
    fetch(shop.url, target)
    assert target.read_bytes() == shop.body
    assert shop.asked == [0, 20_000]


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(shop: Shop, target: Path) -> None:
    break_off(shop, target)
    shop.body, shop.tag = archive(b"b"), '"two"'
    fetch(shop.url, target)
    assert target.read_bytes() == shop.body


def test_a_server_without_ranges_sends_it_all_again(shop: Shop, target: Path) -> None:
    shop.ranges = False
    break_off(shop, target)
    fetch(shop.url, target)
    assert target.read_bytes() == shop.body


def test_a_file_that_was_complete_but_not_yet_named_is_kept(shop: Shop, target: Path) -> None:
    break_off(shop, target)
    target.with_name("home-credit.zip.part").write_bytes(shop.body)
    fetch(shop.url, target)
    assert target.read_bytes() == shop.body
    assert shop.asked == [0]


def test_what_is_not_a_zip_is_thrown_away(shop: Shop, target: Path) -> None:
    shop.body = b"<html>not found, politely</html>"
    with pytest.raises(DownloadError, match="not a zip"):
        fetch(shop.url, target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_says_the_status_and_the_way_by_hand(shop: Shop, target: Path, status: int) -> None:
    shop.status = status
    answer = run("--url", shop.url, "--out", str(target))
    assert answer.exit_code == 1
    assert f"answers {status}" in answer.text
    assert "Kaggle account" in answer.text
    assert str(target) in answer.text


def test_no_server_says_the_way_by_hand_without_a_traceback(shop: Shop, target: Path) -> None:
    url = shop.url
    shop.server_close()
    answer = run("--url", url, "--out", str(target))
    assert answer.exit_code == 1
    assert "Kaggle account" in answer.text
    assert "Traceback" not in answer.text


def test_what_is_there_is_not_fetched_again(shop: Shop, target: Path) -> None:
    first = run("--url", shop.url, "--out", str(target))
    again = run("--url", shop.url, "--out", str(target))
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert shop.asked == [0]
    assert "already there" in again.text


class Answer:
    def __init__(self, exit_code: int, text: str) -> None:
        self.exit_code, self.text = exit_code, text


def run(*arguments: str) -> Answer:
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "500"})
    return Answer(result.exit_code, result.output.replace("\n", " "))
