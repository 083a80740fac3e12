"""Where comparisons take place: a home for runs with the base environment, and folders that every user may enter."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential import world
from differential.compare import Ground, ground
from kade2kfp.local import bubblewrap

ENVIRONMENTS = Path(__file__).parents[2] / ".cache" / "test-environments"


@pytest.fixture(scope="session")
def on() -> Iterator[Ground]:
    """The ground of all comparisons of one process."""
    from kade2kfp.local.environments import environment

    if reason := bubblewrap.works():
        pytest.skip(reason)
    top = Path(tempfile.mkdtemp(prefix="differential-"))
    top.chmod(0o755)  # pytest's own folders are closed to other users
    home, folder, store = top / "home", top / "machine", top / "store"
    for one in (home, folder):
        one.mkdir()
        one.chmod(0o755)
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    (home / "environments").symlink_to(ENVIRONMENTS)
    environment(home, (), log=None, cancelled=threading.Event())
    world.fill_store(store)
    try:
        with world.served(store) as url:
            yield ground(home, folder, store, url)
    finally:
        shutil.rmtree(top, ignore_errors=True)
