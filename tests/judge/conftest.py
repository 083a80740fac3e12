"""The judge of pods, built once a session."""

import pytest

from .judge import Judge, built


@pytest.fixture(scope="session")
def judge() -> Judge:
    return built()
