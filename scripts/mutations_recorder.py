"""A plugin of pytest: writes tests that fail into the file `MUTATIONS_FAILURES`, a line of JSON each.

A line is [the test's id, whether kade2kfp itself raised, the error]. What pytest prints leaves open where an id ends.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any], report: pytest.TestReport | pytest.CollectReport
) -> None:
    """Called by pytest where a test, its set-up or the reading of its file raised, and not for skipped ones."""
    if call.excinfo is None:
        return
    code = node.config.rootpath / "kade2kfp"
    # Where a file of tests cannot even be read, pytest has made the error a text already.
    raised = isinstance(report, pytest.CollectReport) or any(
        Path(entry.path).is_relative_to(code) for entry in call.excinfo.traceback
    )
    with Path(os.environ["MUTATIONS_FAILURES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([report.nodeid, raised, call.excinfo.exconly()]) + "\n")
