"""Settings of the whole suite: quiet libraries, two threads, no network, laws that repeat exactly."""

import ctypes
import logging
import mmap
import os
import shutil
import sys

# Before any library is imported: most read these once, at import.
os.environ.update(
    BENTOML_DO_NOT_TRACK="True",
    MLFLOW_DISABLE_TELEMETRY="true",
    GRADIO_ANALYTICS_ENABLED="False",
    DO_NOT_TRACK="1",
    MPLBACKEND="Agg",
    POLARS_MAX_THREADS="2",
    OMP_NUM_THREADS="2",
    OMP_WAIT_POLICY="PASSIVE",  # awake, waiting threads take the cores from the other workers
    OPENBLAS_NUM_THREADS="1",  # its threads always wait awake: a system of equations cost 17 times as much
)

import pytest
from hypothesis import settings

# The same examples on every run, so that a red suite stays red until it is mended. To look for new ones:
# pytest --hypothesis-profile=search
settings.register_profile("repeat", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=1_000)
settings.register_profile("proofs", settings.get_profile("repeat"))  # tests/support/laws.py asks for its name
settings.load_profile("repeat")

pytest.register_assert_rewrite("tests.support")  # it asserts for the tests

LOOPBACK = ("127.", "::1", "localhost")


def refuse_network(event: str, arguments: tuple) -> None:
    """Stop a test that leaves this machine, whichever library takes it there."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not host.startswith(LOOPBACK):
            raise PermissionError(f"the tests need no network, but something connects to {host}")


sys.addaudithook(refuse_network)


# What takes longest is begun first, so that no core is left alone with it at the end.
LONGEST = [
    *("train", "ui_browser", "ui_signed_in", "portfolio", "connection", "registry", "life", "extension"),
    *("ui_attack", "client", "stores", "log_files", "validation", "lookups", "purpose", "outcomes", "reader"),
    *("counterfactual", "service", "decisions", "monitoring_runs", "private", "monitoring", "access"),
    *("import", "ui_proxy", "ui_language", "torture", "tables", "trial", "monitoring_causes", "log_packing"),
]


def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are cores: while one waits for a server, another computes."""
    return min((os.cpu_count() or 1) + 1, 5)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the tests of a file stay together, which share what it starts."""
    place = {f"test_{name}": at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Where a test in a browser fails, keep its pages in var/screenshots."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("chromium")
    if report.when == "call" and report.failed and browser is not None:
        from tests.support.browser import keep

        keep(browser, item.name)
    return report


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium: `make browser` installs Debian's (as root)")
    with sync_api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield program
        program.close()


@pytest.fixture(scope="session")
def served_desk(tmp_path_factory):
    """Serve the officer's page before a stand-in for the service, for every test of it in a browser."""
    from tests.support import desk

    with desk.served(tmp_path_factory.mktemp("desk")) as it:
        yield it


@pytest.fixture(scope="module")
def tabs(chromium, served_desk):
    """Open the desk in one tab a language; at the end nothing strange has happened in them."""
    from tests.support import desk

    with desk.tabs(chromium, served_desk) as found:
        yield found


@pytest.fixture
def at(tabs):
    return tabs.at


@pytest.fixture
def stand_in(served_desk):
    """Give the stand-in for the service behind the desk, to be brought into trouble for one test."""
    yield served_desk.stand_in
    served_desk.make_well()


@pytest.fixture(scope="session")
def third_folder(tmp_path_factory):
    from tests.support import third

    return third.write(tmp_path_factory.mktemp("languages"))


@pytest.fixture
def third(third_folder):
    """Speak a third language beside English and French, for one test."""
    from scoring import language
    from tests.support import third

    language.use(third_folder)
    yield third.THIRD
    language.use(None)


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory):
    """Make the database of an empty MLflow store: it takes a second and a half, and a copy does as well."""
    from training import mlflow_store

    file = tmp_path_factory.mktemp("blank") / "mlflow.db"
    mlflow_store.connect(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def empty_store(blank_store, tmp_path):
    """Give the address of an MLflow store in which nothing is kept."""
    return f"sqlite:///{shutil.copy(blank_store, tmp_path / 'mlflow.db')}"


@pytest.fixture(scope="session")
def postgres_url():
    from tests.support import databases

    with databases.postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """Where an index goes: a file of SQLite, then a real PostgreSQL."""
    from tests.support import databases

    if request.param == "sqlite":
        return str(tmp_path / "index.sqlite")
    return databases.fresh(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module")
def guarded():
    """Give a function that puts a body right before memory that kills whoever reads it."""
    page, pages = mmap.PAGESIZE, 64
    memory = mmap.mmap(-1, (pages + 1) * page)
    libc, start = ctypes.CDLL(None), ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(ctypes.c_void_p(start + pages * page), page, 0) == 0

    def put(body: bytes) -> memoryview:
        place = pages * page - len(body)
        memory[place : pages * page] = body
        return memoryview(memory)[place : pages * page]

    yield put
    libc.mprotect(ctypes.c_void_p(start + pages * page), page, mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.fixture(autouse=True)
def loggers_speak():
    """Undo what came before: train.py quiets one of our loggers, bentoml turns all others off."""
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
            if name.partition(".")[0] in ("scoring", "training", "monitoring", "validation", "ui"):
                logger.setLevel(logging.NOTSET)
