"""A bug of ours says so: exit code 70, a report to file, and nothing of the document in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .command import environment

BROKEN = """
import sys
import kade2kfp.cli as cli
def fail(**_):
    secret = "of the document"
    raise ZeroDivisionError("inner")
cli.group.main = fail
cli.main()
"""


@pytest.mark.parametrize("writable", [True, False])
def test_a_bug(tmp_path: Path, writable: bool) -> None:
    folder = tmp_path / "reports"
    code = BROKEN
    if writable:
        folder.mkdir()
    else:  # no folder for temporary files at all
        code = "import tempfile\ntempfile.tempdir = '/proc/none'\n" + BROKEN
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(TMPDIR=str(folder)), capture_output=True, timeout=60
    )
    assert ran.returncode == 70
    assert ran.stdout == b""
    assert b"error[K900]" in ran.stderr
    assert b"ZeroDivisionError" in ran.stderr
    if writable:
        (name,) = os.listdir(folder)
        assert str(folder / name).encode() in ran.stderr
        report = (folder / name).read_text()
        assert b"Traceback" not in ran.stderr
    else:
        report = ran.stderr.decode()
    assert "Traceback" in report
    assert "ZeroDivisionError: inner" in report
    assert "kfp 2." in report
