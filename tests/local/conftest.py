"""A home for runs. The base environment, which takes seconds to make, is shared by all tests."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def base_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of environments with the base one in it, kept from one test run to the next."""
    from kade2kfp.local.environments import environment

    shared = Path(__file__).parents[2] / ".cache" / "test-environments"
    shared.mkdir(parents=True, exist_ok=True)
    home = tmp_path_factory.mktemp("environments")
    (home / "environments").symlink_to(shared)
    environment(home, (), log=None, cancelled=threading.Event())
    return shared


@pytest.fixture
def home(tmp_path: Path, base_environment: Path) -> Path:
    """A home for runs, with the base environment."""
    made = tmp_path / "home"
    made.mkdir()
    (made / "environments").symlink_to(base_environment)
    return made
