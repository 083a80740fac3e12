"""What the tests of failing and interrupted runs share."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import warm
from running import Ran, Started, alive, environment

# The command line as it is, but with less time between TERM and KILL.
IMPATIENT = """
import sys
from kade2kfp.local import attempt, runner
attempt.GRACE = runner.GRACE = float(sys.argv.pop(1))
from kade2kfp.cli import main
main()
"""
_HEAD = re.compile(
    r"^(?P<file>\S+):(?P<line>\d+):(?P<column>\d+): error\[(?P<code>K\d+)\]: `(?P<task>[^`]+)`: (?P<text>.*)$"
)


@dataclass(frozen=True)
class Said:
    """A diagnostic as it was printed; `at` is what stands in the document at its place, `log` the log's last lines."""

    code: str
    at: str
    text: str
    log: list[str]
    help: str


def said(ran: Ran) -> dict[str, Said]:
    """The diagnostics of a run by task; exactly one for each."""
    found: dict[str, Said] = {}
    for block in ran.err.split("\n\n"):
        for number, line in enumerate(lines := block.splitlines()):
            if head := _HEAD.match(line):
                assert head["task"] not in found, block
                rest = lines[number + 1 :]
                row = Path(head["file"]).read_text().splitlines()[int(head["line"]) - 1]
                logs = [one for one in range(len(rest)) if rest[one].endswith("= log:")]
                log = []
                for shown in rest[logs[0] + 1 :] if logs else ():
                    if "= help:" in shown:
                        break
                    log.append(shown.strip())
                help_ = next((one.partition("= help: ")[2] for one in rest if "= help: " in one), "")
                found[head["task"]] = Said(head["code"], row[int(head["column"]) - 1 :], head["text"], log, help_)
    return found


def start_impatient(home: Path, grace: float, *arguments: str, **more: Any) -> Started:
    """A command that waits so many seconds between TERM and KILL."""
    process = warm.Popen(
        [sys.executable, "-c", IMPATIENT, str(grace), *arguments],
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": environment(home),
            **more,
        },
    )
    return Started(process, home)


def ended(started: Started, seconds: float = 30) -> Ran:
    """A command that ends by itself."""
    out, err = started.process.communicate(timeout=seconds)
    return Ran(started.process.returncode, out.decode(), err.decode(), started.home)


def gone(mark: str, seconds: float = 1) -> bool:
    """Whether no process with the mark is left, at the latest after so long."""
    until = time.monotonic() + seconds
    while alive(mark):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
