"""How many tests run at once; what those of each folder took, printed at the end: `CI=true` or `-v` shows it."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is no test's business; on a busy machine it is anything.
settings.register_profile("untimed", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "untimed")
sys.path.insert(0, str(Path(__file__).parent))  # for warm.py

# What is ignored stays so in all that is started, and no shell may trap it: SIGINT in a script's background, SIGHUP under
# nohup. A handler of our own ignores it too, and is not inherited.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half of what most tests do is waiting, for servers and runs: two workers more than cores, on two cores twice as many."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 2


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seconds of all workers together, by folder, the longest first."""
    if not (os.environ.get("CI") or terminalreporter.config.option.verbose > 0):
        return
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds["/".join(report.nodeid.split("/")[:2])] += report.duration
    if seconds:
        terminalreporter.section("seconds by folder, of all workers")
        for folder, took in seconds.most_common():
            terminalreporter.write_line(f"{took:8.1f}  {folder}")
