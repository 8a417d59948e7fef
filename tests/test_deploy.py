"""The release's model with a real export; a deployment, the way back and the monitor with a fake docker."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.support import small
from tests.support.running import bentoml, environment, put_in_store

ROOT = Path(__file__).parent.parent

# Containers are files of the folder $HOST: their state, and their image.
DOCKER = r"""#!/bin/sh
command=$1; shift
name=; last=; previous=
for word in "$@"; do [ "$previous" != --name ] || name=$word; previous=$word; last=$word; done
case $command in
pull) [ ! -e "$HOST/.no-pull" ] ;;
inspect)
  [ -f "$HOST/$last" ] && read -r state image < "$HOST/$last" || exit 1
  [ "$state" != running ] || echo true ;;
rename) [ -f "$HOST/$1" ] && [ ! -e "$HOST/$2" ] && mv "$HOST/$1" "$HOST/$2" ;;
stop) [ -f "$HOST/$last" ] && read -r state image < "$HOST/$last" && echo "stopped $image" > "$HOST/$last" ;;
start) [ -f "$HOST/$last" ] && read -r state image < "$HOST/$last" && echo "running $image" > "$HOST/$last" ;;
rm) [ -f "$HOST/$last" ] && rm "$HOST/$last" ;;
run)
  [ -n "$name" ] || { [ ! -e "$HOST/.no-volume" ]; exit $?; }
  [ ! -e "$HOST/$name" ] || exit 125
  if [ -e "$HOST/.no-run" ]; then echo "created $last" > "$HOST/$name"; exit 125; fi
  echo "running $last" > "$HOST/$name" ;;
esac
"""
CURL = """#!/bin/sh
read -r state image < "$HOST/credit-scoring"
[ "$state" = running ] && [ ! -e "$HOST/.unready" ]
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for name, script in {"docker": DOCKER, "curl": CURL, "sleep": "#!/bin/sh\n"}.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "host").mkdir()
    return tmp_path / "host"


def on_host(host: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as the workflow does: from its standard input, by the host's plain shell."""
    env = {"PATH": f"{host.parent / 'bin'}:/usr/bin:/bin", "HOST": str(host), "HOME": str(host.parent)}
    with (ROOT / "deploy" / "host.sh").open() as script:
        command = ["sh", "-s", *arguments]
        return subprocess.run(command, stdin=script, text=True, capture_output=True, env=env)


def image(name: str) -> str:
    return f"registry.example/{name}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def deploy(host: Path, name: str = "new") -> int:
    return on_host(host, "deploy", image(name)).returncode


def containers(host: Path) -> dict[str, str]:
    """Say what runs on the host, and the image's short name."""
    said = {file.name: file.read_text().split() for file in host.iterdir() if file.name[0] != "."}
    return {
        name: f"{state} {reference.partition('/')[2].partition('@')[0] or reference}"
        for name, (state, reference) in said.items()
    }


def test_a_new_image_takes_the_place_of_the_one_before(host: Path) -> None:
    (host / "credit-scoring").write_text("running old\n")
    assert deploy(host) == 0 and containers(host) == {"credit-scoring": "running new"}


def test_the_first_deployment_needs_none_before(host: Path) -> None:
    assert deploy(host) == 0 and containers(host) == {"credit-scoring": "running new"}


@pytest.mark.parametrize("fault", [".no-pull", ".no-volume", ".no-run", ".unready"])
def test_whatever_fails_the_one_before_serves_again_until_a_better_one_comes(host: Path, fault: str) -> None:
    (host / "credit-scoring").write_text("running old\n")
    (host / fault).touch()
    assert deploy(host) != 0 and containers(host) == {"credit-scoring": "running old"}
    (host / fault).unlink()
    assert deploy(host) == 0 and containers(host) == {"credit-scoring": "running new"}


@pytest.mark.parametrize("fault", [None, ".no-run"])
@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ({"credit-scoring": "running old", "previous": "stopped older"}, "old"),
        ({"previous": "stopped old"}, "old"),
        ({"credit-scoring": "created broken", "previous": "stopped old"}, "old"),
    ],
)
def test_what_a_deployment_that_was_broken_off_left_is_no_obstacle(
    host: Path, left: dict[str, str], kept: str, fault: str | None
) -> None:
    for name, state in left.items():
        (host / name).write_text(f"{state}\n")
    if fault:
        (host / fault).touch()
    assert (deploy(host) == 0) == (fault is None)
    assert containers(host) == {"credit-scoring": f"running {kept if fault else 'new'}"}


def test_an_image_that_is_not_named_by_its_digest_is_refused_before_anything_is_touched(host: Path) -> None:
    (host / "credit-scoring").write_text("running old\n")
    for name in ("credit-scoring:latest", "registry.example/new@sha256:abc", "", image("new") + " x"):
        done = on_host(host, "deploy", name)
        assert done.returncode == 2 and "by its digest" in done.stderr
    assert containers(host) == {"credit-scoring": "running old"}


def test_a_rollback_starts_the_image_before_and_another_one_goes_further_back(host: Path) -> None:
    assert [deploy(host, name) for name in ("first", "second", "third")] == [0, 0, 0]
    assert on_host(host, "rollback").returncode == 0
    assert containers(host) == {"credit-scoring": "running second"}
    assert on_host(host, "rollback").returncode == 0
    assert containers(host) == {"credit-scoring": "running first"}
    done = on_host(host, "rollback")
    assert done.returncode == 2 and "nothing to go back to" in done.stderr
    assert containers(host) == {"credit-scoring": "running first"}


def test_a_deployment_that_failed_is_nothing_to_go_back_to(host: Path) -> None:
    assert [deploy(host, name) for name in ("first", "second")] == [0, 0]
    (host / ".unready").touch()
    assert deploy(host, "broken") != 0
    (host / ".unready").unlink()
    assert on_host(host, "rollback").returncode == 0
    assert containers(host) == {"credit-scoring": "running first"}


@pytest.mark.parametrize("arguments", [(), ("deploy",), ("rollback", "x"), ("destroy", "x")])
def test_wrong_use_says_the_right_one(host: Path, arguments: tuple[str, ...]) -> None:
    # The usage stands in the file, which a script from the standard input cannot read: it is run by name.
    command = ["sh", "deploy/host.sh", *arguments]
    env = {"PATH": f"{host.parent / 'bin'}:/usr/bin:/bin", "HOST": str(host), "HOME": str(host.parent)}
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True)
    assert done.returncode == 2 and "host.sh rollback" in done.stderr and not containers(host)


def make_image(bin: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{bin}:{Path(sys.executable).parent}:/usr/bin:/bin", "BENTOML_HOME": str(home)}
    command = ["sh", "deploy/image.sh", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True)


def test_without_an_engine_or_a_bento_the_image_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for engine in ("docker", "podman"):
        (tmp_path / engine).write_text("#!/bin/sh\nexit 1\n")  # installed, and no daemon answers
        (tmp_path / engine).chmod(0o755)
    done = make_image(tmp_path, tmp_path / "home", "credit_scoring:latest", "credit-scoring:latest")
    assert done.returncode == 1 and "No container engine answers" in done.stderr
    assert "apt install podman" in done.stderr and "deploy/offline-image.sh" in done.stderr
    (tmp_path / "podman").write_text("#!/bin/sh\nexit 0\n")
    done = make_image(tmp_path, tmp_path / "home", "credit_scoring:latest", "credit-scoring:latest")
    assert done.returncode == 1 and "There is no bento credit_scoring:latest" in done.stderr
    assert "make bento" in done.stderr


def test_the_monitor_says_the_verdict_and_reads_the_log_without_a_network(host: Path) -> None:
    words = host.parent / "bin" / "docker"
    words.write_text('#!/bin/sh\necho "$@"\nexit 4\n')
    done = on_host(host, "monitor", image("programs"))
    assert done.returncode == 4 and "--network none" in done.stdout and "/state:ro" in done.stdout
    assert done.stdout.endswith(f"{image('programs')} monitoring --out /reports\n")
    assert on_host(host, "monitor", "programs:latest").returncode == 2


GH = """#!/bin/sh
echo "$@" >> "$HOST/.gh"
[ "$1 $2" != "issue list" ] || cat "$HOST/.open"
"""


@pytest.mark.parametrize(("number", "done"), [("", "issue create"), ("7", "issue comment 7")])
def test_drift_opens_one_issue_and_adds_to_it(host: Path, number: str, done: str) -> None:
    (host.parent / "bin" / "gh").write_text(GH)
    (host.parent / "bin" / "gh").chmod(0o755)
    (host / ".open").write_text(number)
    (host / "said.txt").write_text("EXT_SOURCE_2 has drifted\n")
    env = {"PATH": f"{host.parent / 'bin'}:/usr/bin:/bin", "HOST": str(host)}
    subprocess.run([ROOT / "deploy" / "alarm.sh", host / "said.txt"], env=env, check=True)
    asked = (host / ".gh").read_text().splitlines()
    assert asked[0].startswith("issue list") and asked[-1].startswith(done)
    assert sum("issue create" in line or "issue comment" in line for line in asked) == 1


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    """A model as `bentoml models export` writes it."""
    home = tmp_path_factory.mktemp("export")
    put_in_store(small.save(home / "scorer"), home, "credit_scoring:released")
    file = home / "model.bentomodel"
    exported = bentoml("models", "export", "credit_scoring:released", str(file), env=environment(home))
    assert exported.communicate()[0] is not None and exported.returncode == 0
    return file


def execute(name: str, folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess:
    """Execute a step of the release as GitHub does."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    (script,) = (s["run"] for s in workflow["jobs"]["image"]["steps"] if s.get("name") == name)
    shell = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}.get(
        workflow.get("defaults", {}).get("run", {}).get("shell"), ["bash", "-e"]
    )
    return subprocess.run(
        [*shell, "-c", script], cwd=folder, env=dict(variables), text=True, capture_output=True
    )


def take_model(export: Path, folder: Path, digest: str) -> subprocess.CompletedProcess:
    """Execute the step that brings the model, as GitHub does, in an empty working copy."""
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    variables = {"MODEL_URL": export.as_uri(), "MODEL_SHA256": digest}
    home = environment(folder, BENTOML_HOME=str(folder / "var" / "bentoml"), **variables)
    return execute("Model", folder, home)


def test_the_release_takes_the_model_that_it_is_pointed_at(export: Path, tmp_path: Path) -> None:
    done = take_model(export, tmp_path, hashlib.sha256(export.read_bytes()).hexdigest())
    assert done.returncode == 0, done.stdout + done.stderr
    stored = tmp_path / "var" / "bentoml" / "models" / "credit_scoring"
    assert (stored / "latest").read_text() == "released"
    assert (stored / "released" / "scorer.json").is_file()


@pytest.mark.parametrize("digest", ["", "0" * 64, "no hash"])
def test_the_release_refuses_another_model_than_the_one_that_was_named(
    export: Path, tmp_path: Path, digest: str
) -> None:
    done = take_model(export, tmp_path, digest)
    assert done.returncode == 1
    assert f"MODEL_SHA256 says '{digest}'" in done.stderr
    assert not (tmp_path / "var" / "bentoml" / "models").exists()


@pytest.mark.parametrize(
    "workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda at: at.stem
)
def test_no_failure_within_a_pipe_of_a_workflow_goes_by(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["defaults"]["run"]["shell"] == "bash"


@pytest.mark.parametrize(
    ("tag", "changes", "reason"),
    [
        ("v1.2.3", "## [1.2.3] - 2026-11-30", None),
        ("v1.2.4", "## [1.2.4] - 2026-11-30", "tag v1.2.3, or set the version first"),
        ("v1.2.3", "## [Unreleased]\n## [1.2.30]", "CHANGELOG.md has no '## [1.2.3]'"),
    ],
)
def test_a_release_whose_tag_is_not_the_version_or_has_no_changes_ends_before_anything_is_built(
    tmp_path: Path, tag: str, changes: str, reason: str | None
) -> None:
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n{changes}\n")
    done = execute(
        "The tag is the version, and has its changes", tmp_path, {**os.environ, "GITHUB_REF_NAME": tag}
    )
    assert done.returncode == (reason is not None), done.stderr
    assert reason is None or reason in done.stderr


@pytest.mark.parametrize("fault", [None, "push", "inspect"])
def test_a_push_that_fails_stops_the_release(tmp_path: Path, fault: str | None) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\n[ "$1" != login ] || cat > /dev/null\n'  # as docker does; who writes to nobody is killed
        f'[ "$1" = "{fault}" ] && exit 1\n[ "$1" != inspect ] || echo "name@sha256:abc"\n'
    )
    docker.chmod(0o755)
    output = tmp_path / "output"
    variables = {
        **os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output),
        "MODEL_URL": "", "GITHUB_REPOSITORY": "Lender/Scoring", "GITHUB_REF_NAME": "v1.2.3",
        "GITHUB_ACTOR": "a", "GH_TOKEN": "t",
    }  # fmt: skip
    done = execute("Push", tmp_path, variables)
    assert done.returncode == (fault is not None), done.stderr
    assert output.exists() == (fault is None)
    assert fault or output.read_text().splitlines() == [
        "image=ghcr.io/lender/scoring",
        "digest=sha256:abc",
        "programs=ghcr.io/lender/scoring-programs",
        "programs-digest=sha256:abc",
    ]
