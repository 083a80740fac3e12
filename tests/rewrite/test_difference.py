"""A difference is what patch takes, whatever the texts hold."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.rewrite.difference import difference
from tests.whole.profile import tries

LINES = st.lists(
    st.sampled_from(["a", "b", "c", "", " ", "\r", "-", "+", "@@", "\x0b", "\u2028", "--- x"]), max_size=30
)
TEXTS = st.tuples(LINES, st.booleans()).map(lambda given: "\n".join(given[0]) + "\n" * given[1])


def test_texts_that_are_the_same_have_none() -> None:
    assert list(difference("a\n", "a\n", "old", "new")) == []
    assert list(difference("", "", "old", "new")) == []


def test_it_is_what_diff_writes() -> None:
    assert list(difference("a\nb\n", "a\nc", "old", "new")) == [
        "--- old",
        "+++ new",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
        "\\ No newline at end of file",
    ]


@tries(50, 2000)
@given(TEXTS, TEXTS)
def test_patch_takes_it(tmp_path_factory: pytest.TempPathFactory, before: str, after: str) -> None:
    folder = tmp_path_factory.mktemp("patch")
    patched(before, after, folder)


def patched(before: str, after: str, folder: Path) -> None:
    (folder / "file").write_bytes(before.encode())
    patch = "".join(f"{row}\n" for row in difference(before, after, "file", "file"))
    if patch:
        command = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-p0", "-"]
        ran = subprocess.run(command, cwd=folder, input=patch.encode(), capture_output=True, timeout=60)
        assert ran.returncode == 0, (patch, ran.stderr)
    assert (folder / "file").read_bytes() == after.encode()


def test_many_lines_differ(tmp_path: Path) -> None:
    """Each other line, so that a search for what is the same takes the square of them."""
    same = [f"same {i}" for i in range(10)]
    left = [f"{' ' * (i % 2)}a" for i in range(150_000)]
    right = [f"{' ' * (i % 3)}a" for i in range(150_000)]
    begin = time.process_time()
    before, after = ("\n".join([*same, *rows, *same]) for rows in (left, right))
    rows = list(difference(before, after, "file", "file"))
    assert time.process_time() - begin < 20
    assert sum(row.startswith("@@") for row in rows) == 1
    patched(before, after, tmp_path)
