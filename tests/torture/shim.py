"""A small C library, preloaded into a service: its sync fails and its clock is wrong when a test says so."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shim:
    """The library and the files that steer it.

    Attributes
    ----------
    library : Path
    sync, clock : Path
        While ``sync`` exists every sync fails; ``clock`` holds seconds that are added to the time of day.
    """

    library: Path
    sync: Path
    clock: Path

    @classmethod
    def build(cls, folder: Path) -> Shim | None:
        """Compile it; None where there is no C compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return None
        library = folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        return cls(library, folder / "no-sync", folder / "clock")

    def environment(self) -> dict[str, str]:
        """Return the variables that preload it."""
        return {
            "LD_PRELOAD": str(self.library),
            "TORTURE_SYNC": str(self.sync),
            "TORTURE_CLOCK": str(self.clock),
        }

    def fail_sync(self, is_failing: bool) -> None:
        """Let every sync fail, or not."""
        if is_failing:
            self.sync.touch()
        else:
            self.sync.unlink(missing_ok=True)

    def shift_clock(self, seconds: int) -> None:
        """Put the clock forward or back."""
        part = self.clock.with_suffix(".part")
        part.write_text(str(seconds), encoding="ascii")
        part.replace(self.clock)
