"""One document gives the same bytes on any machine, day and folder, offline, whatever the surroundings say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from .documents import documents
from .mutations import mutated
from .profile import tries

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(ROOT.glob("examples/*/pipeline.json"))
SURROUNDINGS: tuple[dict[str, str], ...] = (
    {"PYTHONHASHSEED": "0", "LANG": "C", "LC_ALL": "C", "TZ": "UTC"},
    {"PYTHONHASHSEED": "1", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "TZ": "Pacific/Kiritimati", "COLUMNS": "20"},
    {
        "PYTHONHASHSEED": "4242",
        "LANG": "tr_TR.UTF-8",
        "TZ": "America/Caracas",
        "KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT": "true",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "USER": "한글",
    },
)


class Worker:
    """A process that compiles, in surroundings and folders of its own."""

    def __init__(self, surroundings: dict[str, str], home: Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ}
        env = kept | {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | surroundings
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=home, env=env
        )

    def ask(self, text: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(text).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    found = [Worker(one, tmp_path_factory.mktemp("home é")) for one in SURROUNDINGS]
    yield found
    for worker in found:
        worker.end()


def _alike(workers: list[Worker], text: str) -> Any:
    first, *others = [worker.ask(text) for worker in workers]
    assert all(other == first for other in others)
    return first


@tries(25, 1000)
@given(document=documents())
def test_a_valid_document_compiles_to_the_same_bytes_everywhere(workers: list[Worker], document: Any) -> None:
    yaml, diagnostics = _alike(workers, json.dumps(document))
    assert yaml, diagnostics


@tries(25, 1000)
@given(text=mutated())
def test_a_wrong_document_gives_the_same_diagnostics_everywhere(workers: list[Worker], text: str) -> None:
    _alike(workers, text)


def test_the_examples_without_their_files_are_the_same_everywhere(workers: list[Worker]) -> None:
    """One test: its workers, which take seconds to begin, are not begun in several of pytest's."""
    for path in EXAMPLES:
        _alike(workers, path.read_text(encoding="utf-8"))


def test_nothing_is_left_behind(workers: list[Worker], tmp_path: Path) -> None:
    worker = Worker(SURROUNDINGS[0], tmp_path)
    worker.ask(EXAMPLES[0].read_text(encoding="utf-8"))
    worker.end()
    assert list(tmp_path.iterdir()) == []
