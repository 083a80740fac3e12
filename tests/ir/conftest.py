"""A folder for runs of the machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to others."""
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_mode & 0o005 != 0o005 and above != Path("/"):
            above.chmod(0o755)
    made = tmp_path / "run"
    made.mkdir()
    yield made
    shutil.rmtree(made, ignore_errors=True)
