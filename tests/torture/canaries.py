"""Values that name a person, sent in every way, and searched for in everything that is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from tests.support import small
from tests.torture.run import ROOT, Run
from tests.torture.served import Home, Server, free_port, served

KEY = "canary-key-5d1f0c77e2b94a3f8e60"
WRONG_KEY = "canary-wrong-key-91be4d02c7f8"
MONITORED = 40


def people(first: int, count: int, text: str) -> list[str]:
    """Return so many values that stand nowhere else."""
    return [text.format(918_273_000 + 37 * (first + i)) for i in range(count)]


NUMBERS = people(0, 16, "{}")  # of applications that are scored, explained, sent as files
HISTORY_NUMBERS = people(100, 8, "{}")
REFUSED = people(200, 8, "Marie Dupond {}")  # where a number belongs
UNKNOWN = people(300, 6, "06 12 34 {}")  # the value of a column that there is not
BROKEN = people(400, 6, "12 rue des Lilas {}")  # in what is not JSON
IDS = people(500, 4, "Jean Canari {}")  # as a request's id, which is unsafe to log
SECRETS = [KEY, WRONG_KEY]
CANARIES = [*NUMBERS, *HISTORY_NUMBERS, *REFUSED, *UNKNOWN, *BROKEN, *IDS, *SECRETS]
INVENTED = people(600, 5, "nurse of Dr Canari {}")  # a category that no training knew


def send(server: Server, folder: Path, home: Home) -> list[str]:
    """Send every canary in its way; return what the service and the client said of it."""
    said: list[str] = []
    http = server.http
    http.headers["x-api-key"] = KEY
    base = small.applications(1, seed=21)[0]

    def post(path: str, application: dict[str, Any], **headers: str) -> httpx.Response:
        return http.post(path, json={"applications": [application]}, headers=headers)

    for number in NUMBERS[:8]:
        for path in ("/score", "/explain"):
            post(path, base | {"SK_ID_CURR": int(number)}).raise_for_status()
    for i, number in enumerate(HISTORY_NUMBERS):
        record = {"SK_ID_BUREAU": int(number), "DAYS_CREDIT": -10}
        before = {"SK_ID_PREV": int(number), "NUM_INSTALMENT_NUMBER": 1, "DAYS_INSTALMENT": -30}
        history = {"bureau": [record]} if i % 2 else {"installments_payments": [before]}
        post("/score", base | {"history": history}).raise_for_status()
    for number in NUMBERS[8:12]:
        said.append(post("/score", base | {"SK_ID_CURR": -int(number)}).text)
        said.append(post("/score", base | {"SK_ID_CURR": int(number), "AMT_CREDIT": -1}).text)
    said += [post("/score", base | {"AMT_CREDIT": value}).text for value in REFUSED]
    said += [post("/explain", base | {"PHONE": value}).text for value in UNKNOWN]
    for value in BROKEN:
        body = f'{{"applications": [{{"SK_ID_CURR": "{value}'.encode()
        said.append(http.post("/score", content=body, headers={"content-type": "application/json"}).text)
    for value in IDS:
        answer = post("/score", base, **{"x-request-id": value})
        said += [answer.headers["x-request-id"]]
    said.append(post("/score", base, **{"x-api-key": WRONG_KEY}).text)
    for _ in range(MONITORED):
        post("/score", base)
    file = folder / "people.csv"
    pl.DataFrame({"SK_ID_CURR": [int(number) for number in NUMBERS[12:]], "AMT_CREDIT": 1e5}).write_csv(file)
    command = [sys.executable, "-m", "scoring.client", "score", str(file), "--url", server.url]
    env = home.environment(CREDIT_SCORING_API_KEY=KEY, TMPDIR=str(folder / "tmp"))
    done = subprocess.run(
        [*command, "--out", str(folder / "own.csv")], env=env, cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"the batch client failed: {done.stderr[-400:]}")
    return [*said, done.stdout, done.stderr]


def page(server: Server, folder: Path, home: Home) -> list[str]:
    """Upload a file of canaries to the page and stop it; return what it wrote."""
    port, out = free_port(), folder / "page-stdout"
    command = [sys.executable, "-m", "ui", "--api", server.url, "--port", str(port)]
    env = home.environment(CREDIT_SCORING_API_KEY=KEY, TMPDIR=str(folder / "tmp"))
    env.pop("GRADIO_TEMP_DIR", None)
    with out.open("w") as stdout:
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=stdout, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    if http.get("/fr/").is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            content = (folder / "people.csv").read_bytes()
            http.post("/fr/gradio_api/upload", files={"files": ("people.csv", content)}).raise_for_status()
            shown = [http.get(path).text for path in ("/fr/", "/en/", "/fr/config")]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return [*shown, out.read_text(encoding="utf-8")]


def after(home: Home, folder: Path) -> list[str]:
    """Verify, show, export and monitor the log; return what that said."""
    env = home.environment(TMPDIR=str(folder / "tmp"))
    log = ["--log", str(home.log)]
    tool = [sys.executable, "-m", "scoring.inference_log"]
    reports = [sys.executable, "-m", "monitoring", *log, "--out", str(folder / "reports"), "--min-rows", "20"]
    store = next((home.folder / "bentoml" / "models").glob("*/tortured"))
    commands = [
        [*tool, "verify", *log, "--key-file", str(home.key)],
        [*tool, "tail", *log],
        [*tool, "export", *log, "--stream", "monitoring", "--out", str(folder / "monitoring.csv")],
        [*tool, "export", *log, "--stream", "audit", "--out", str(folder / "audit.csv")],
        [*reports, "--model", home.tag, "--reference", str(store)],
    ]
    said = []
    for command in commands:
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
        said.append(done.stdout + done.stderr)
        if done.returncode > 1:
            raise RuntimeError(f"{command[2]} {command[3]}: {done.stderr[-400:]}")
    return said


def hits(places: Iterable[tuple[str, bytes]], canaries: Iterable[str]) -> list[str]:
    """Name the places where a canary is found."""
    wanted = [(canary, canary.encode(), json.dumps(canary)[1:-1].encode()) for canary in canaries]
    return [
        f"{place}: {canary}"
        for place, content in places
        for canary, plain, escaped in wanted
        if plain in content or escaped in content
    ]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give the files of a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if content[:6] == b"ARROW1":  # compressed: a search of the bytes would find nothing
                content += pl.read_ipc(content).write_ndjson().encode()
            yield str(path.relative_to(folder.parent)), content


def canaries(run: Run) -> None:
    """50 values that name a person, and the keys; none may stand in anything that is left."""
    home = Home(run.folder / "home")
    (run.folder / "tmp").mkdir()
    settings = {"CREDIT_SCORING_API_KEYS": f"desk:{KEY}", "TMPDIR": str(run.folder / "tmp")}
    with served(home, **settings) as server:  # type: ignore[arg-type]  # names of variables
        said = send(server, run.folder, home)
        run.progress(1, 3, "parts")
        base = small.applications(1, seed=21)[0]
        for value in INVENTED:
            request = {"applications": [base | {"OCCUPATION_TYPE": value}]}
            server.http.post("/score", json=request).raise_for_status()
        pages = [server.http.get(path).text for path in ("/", "/model", "/docs.json", "/metrics", "/readyz")]
        shown = page(server, run.folder, home)
        run.progress(2, 3, "parts")
    told = after(home, run.folder)
    words = [("answers and commands", "\n".join([*said, *told]).encode())]
    words += [("pages", "\n".join([*pages, *shown]).encode()), ("output", server.said().encode())]
    left = [
        *files(home.log),
        *files(home.anchors),
        *files(run.folder / "tmp"),
        *files(run.folder / "reports"),
    ]
    exports = [(name, (run.folder / name).read_bytes()) for name in ("monitoring.csv", "audit.csv")]
    places = [*words, *left, *exports]
    found = hits(places, CANARIES)
    invented = hits([place for place in places if "answers" not in place[0]], INVENTED)
    kept = sorted({place.rsplit(": ", 1)[0].split("/")[0] for place in invented})
    searched = sum(len(content) for _, content in places) / 1e6
    where = "output, answers to refused requests, log, anchors, exports, metrics, pages, temporary files"
    where += ", drift report, command lines"
    run.figure("canaries: numbers, names, addresses, keys", len(CANARIES), "canaries", ">= 50")
    run.figure(
        "found anywhere",
        len(found),
        "places",
        "= 0",
        stock="inputs logged raw",
        note=f"searched {searched:.1f} MB: {where}" + (f"; found {found[:3]}" if found else ""),
    )
    run.figure(
        f"words written into a category ({len(INVENTED)} tried), kept as a model input",
        len(invented),
        "places",
        note="by design: monitoring names a level that is new; " + ", ".join(kept),
    )
    run.figure(
        "files that are left in the temporary folder", len(list(files(run.folder / "tmp"))), "files", "= 0"
    )
