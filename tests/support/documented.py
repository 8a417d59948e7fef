"""What schemathesis says of a served OpenAPI document and of what is answered."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


def schemathesis(folder: Path, url: str, examples: int, *options: str) -> dict[str, Any]:
    """Let schemathesis try the operations of a document; return its report, and leave its words in a folder.

    One thread: CPython 3.11 cannot read a program's source in two (``AST constructor recursion depth``).
    """
    report = folder / "schemathesis.json"
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program) if program.exists() else str(shutil.which("schemathesis"))]
    command += ["run", f"{url}/docs.json", "--max-examples", str(examples), "--continue-on-failure"]
    command += ["--phases", "examples,coverage,fuzzing", "--mode", "all", "--workers", "1", "--no-shrink"]
    command += ["--checks", ",".join(CHECKS), "--suppress-health-check", "all", "--no-color"]
    command += ["--request-timeout", "60", "--report-json-path", str(report), "--seed", "4", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    (folder / "schemathesis.out").write_text(done.stdout + done.stderr, encoding="utf-8")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def counted(report: dict[str, Any]) -> tuple[int, int]:
    """Return the cases and the failures of a report of schemathesis."""
    cases = report["test_cases"]
    return cases["generated"], cases["with_failures"] + cases["errored"]
