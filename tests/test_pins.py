"""The pins: above every known hole, the same for training and serving, and all of them installed."""

import re
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

from deploy import group
from scoring import __version__

ROOT = Path(__file__).parent.parent

# Table of 2026-11-21: component, first version without the hole, the hole. A hole that no version closes is
# not here: the code closes it (no pickle, JSON only, no file or URL inputs, no tracking server).
FLOORS = [
    ("bentoml", "1.2.5", "CVE-2024-2912: pickled request runs code"),
    ("bentoml", "1.4.3", "CVE-2025-27520: pickled request runs code"),
    ("bentoml", "1.4.8", "CVE-2025-32375: runner request runs code"),
    ("bentoml", "1.4.19", "CVE-2025-54381: request forgery by a file URL"),
    ("bentoml", "1.4.34", "CVE-2026-24123: path traversal in a bentofile"),
    ("bentoml", "1.4.36", "CVE-2026-27905: archive writes through a symbolic link"),
    ("bentoml", "1.4.37", "CVE-2026-33744: injection by system_packages"),
    ("bentoml", "1.4.38", "CVE-2026-35043, CVE-2026-35044: set-up script quoting, template sandbox"),
    ("bentoml", "1.4.39", "CVE-2026-44345: injection by base_image; store follows symbolic links"),
    ("mlflow", "2.22.4", "CVE-2025-11201: path traversal runs code on model creation"),
    ("mlflow", "3.10.0", "CVE-2026-2614, -2651, -2652: file read, overwrite, authentication bypass"),
    ("mlflow", "3.11.0", "CVE-2026-4137: temporary folder that anyone may write"),
    ("mlflow", "3.11", "CVE-2026-0545: job API runs code (up to 3.10.1)"),
    ("mlflow", "3.13", "request forgery by an http artifact_location (up to 3.12)"),
    ("mlflow", "3.16.1", "CVE-2026-2635: default administrator password"),
    ("gradio", "6.6.0", "CVE-2026-28416: request forgery by gr.load"),
    ("gradio", "6.7", "CVE-2026-28414: file read"),
    ("gradio", "6.31", "CVE-2026-28415 and its bypass: open redirect"),
    ("lightgbm", "4.6.0", "CVE-2024-43598: heap overflow in the model reader"),
    ("starlette", "0.40", "CVE-2024-47874: unbounded form memory"),
    ("starlette", "1.0.1", "CVE-2026-48710, CVE-2026-54283: host poisoning, form parser stall"),
    ("python-multipart", "0.0.27", "CVE-2026-40347, CVE-2026-42561: parser stall"),
    ("skops", "0.13.0", "CVE-2025-54886: falls back to joblib without a word"),
]


PIN = re.compile(r"([\w.-]+)==([\w.]+)(?: ; ([^\\]+?))?((?: +--hash=sha256:[0-9a-f]{64})*) *")


def pins(name: str) -> dict[str, str]:
    return {component: found for component, (found, _) in lock(name).items()}


def lock(name: str) -> dict[str, tuple[str, int]]:
    """What a file pins here: the version of each component, and how many hashes its files may have."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / name).read_text(), flags=re.M).replace("\\\n", " ")
    pinned = {}
    for line in filter(None, text.splitlines()):
        found = PIN.fullmatch(line)
        assert found, f"{name}: {line[:80]}; run `make lock`"
        if not found[3] or Marker(found[3]).evaluate():
            pinned[found[1]] = (found[2], found[4].count("--hash"))
    return pinned


ALL, SERVING = pins("requirements.txt"), pins("requirements-serving.txt")


@pytest.mark.parametrize(("component", "floor", "hole"), FLOORS, ids=[f"{c}-{v}" for c, v, _ in FLOORS])
def test_every_version_is_above_its_known_holes(component: str, floor: str, hole: str) -> None:
    assert Version(ALL[component]) >= Version(floor), f"{component} {ALL[component]}: {hole}"


def test_what_is_installed_is_what_is_pinned() -> None:
    dev = group.blocks(group.selected("dev", (ROOT / "requirements.txt").read_text()))
    assert {name: version(name) for name in ALL if name in dev} == {
        name: pin for name, pin in ALL.items() if name in dev
    }, "run `make setup`"


def test_serving_runs_the_versions_that_training_ran() -> None:
    assert SERVING.items() <= ALL.items()


def test_the_bento_carries_no_workshop() -> None:
    workshop = {
        "scikit-learn",
        "fastexcel",
        "pandas",
        "mlflow",
        "gradio",
        "evidently",
        "matplotlib",
        "shap",
        "pytest",
    }
    assert not workshop & SERVING.keys()
    assert workshop <= ALL.keys()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-serving.txt"])
def test_every_requirement_is_pinned_by_version_and_by_hash(name: str) -> None:
    without = [component for component, (_, hashes) in lock(name).items() if not hashes]
    assert not without, f"{name}: {without}; run `make lock`"


def test_whoever_installs_asks_for_the_hashes() -> None:
    lines = (ROOT / "deploy" / "setup.sh").read_text().replace("\\\n", " ").splitlines()
    installs = [line for line in lines if " install --" in line]
    assert len(installs) == 3 and all("--require-hashes" in line for line in installs)
    # BentoML would lock anew without hashes, unless it is told that the file is a lock
    assert yaml.safe_load((ROOT / "bentofile.yaml").read_text())["python"]["lock_packages"] is False


def test_a_group_of_packages_is_whole_and_a_part_of_the_lock() -> None:
    whole = (ROOT / "requirements.txt").read_text()
    parts = [set(group.blocks(group.selected(name, whole))) for name in ("dev", "site", "notebooks", "spark")]
    assert set.union(*parts) == set(group.blocks(whole))
    run, monitor = group.selected("run", whole), group.selected("monitor", whole)
    for text in (run, monitor):
        assert set(text.splitlines()) <= set(whole.splitlines())
    names = set(group.blocks(run))
    assert {"bentoml", "mlflow", "gradio", "lightgbm"} <= names
    assert not {"evidently", "optbinning", "shap", "playwright", "pytest"} & names


def test_each_package_that_an_installed_group_needs_is_in_the_group() -> None:
    """Follow what the installed packages say they need, which the lock's comments must not know better."""
    names = set(group.blocks(group.selected("run", (ROOT / "requirements.txt").read_text())))
    needed = {
        group.normal(found.name)
        for name in names & ALL.keys()
        for line in requires(name) or ()
        if not (found := Requirement(line)).marker or found.marker.evaluate({"extra": ""})
    }
    assert needed <= names


def test_the_changelog_names_the_version_and_a_release_is_its_tag() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert __version__ == released[0]
