"""templates/notebook.py as it is embedded, with real kernels, under papermill and under nbconvert."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.steps.python_text import embed_python

from .notebook_tools import code, made, notebook

each_tool = pytest.mark.parametrize("tool", ["papermill", "nbconvert"])


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str
    target: Path

    @property
    def own(self) -> list[str]:
        return [line[10:] for line in self.err.splitlines() if line.startswith("kade2kfp: ")]

    def outputs(self) -> list[str]:
        """The text of each output of the executed notebook."""
        cells = json.loads(self.target.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        return ["".join(output.get("text", output.get("ename", ""))) for output in outputs]


@dataclass(frozen=True)
class Tool:
    """Executes below `folder` with the environment `python` is of."""

    python: Path
    folder: Path

    def write(self, *cells: str | dict[str, Any], name: str = "look.ipynb", **metadata: Any) -> Path:
        source = self.folder / "work {0}" / name
        source.parent.mkdir(exist_ok=True)
        source.write_text(notebook(cells, **metadata), encoding="utf-8")
        return source

    def start(self, source: Path, *parameters: str) -> subprocess.Popen[str]:
        for name in ("home", "executed", "start"):
            (self.folder / name).mkdir(exist_ok=True)
        target = self.folder / "executed" / source.name
        return subprocess.Popen(
            [self.python, "-c", embed_python("notebook.py"), str(source), str(target), *parameters],
            env={
                "PATH": f"{self.python.parent}:/usr/bin:/bin",
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder),
            },
            cwd=self.folder / "start",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def __call__(self, source: Path, *parameters: str) -> Done:
        with self.start(source, *parameters) as process:
            out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err, self.folder / "executed" / source.name)


@pytest.fixture
def tool_of(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tool]:
    return lambda name: Tool(made(name, tmp_path_factory.mktemp("home")) / "bin" / "python", tmp_path)


VALUES: tuple[tuple[str, str, str, object], ...] = (
    ("plain", "text", "0.5", "0.5"),
    ("quoted", "text", "it's \"q\" '''\n\\n {x} %s näïve \U0001f600 $HOME", None),
    ("empty", "text", "", ""),
    ("yes", "json", "true", True),
    ("nothing", "json", "null", None),
    ("whole", "json", "12345678901234567890", 12345678901234567890),
    ("small", "json", "-1e-07", -1e-07),
    ("many", "json", '[1, 2.5, "a\\"b", [false]]', [1, 2.5, 'a"b', [False]]),
    ("named", "json", '{"a b": {"c": [null, "\\u00e4"]}}', {"a b": {"c": [None, "ä"]}}),
)


@each_tool
def test_parameters_keep_their_type_and_come_after_the_tagged_cell(tool: str, tool_of: Callable[[str], Tool]) -> None:
    wanted = {name: text if kind == "text" else value for name, kind, text, value in VALUES}
    seen = f"print([one for one, value in {wanted!r}.items() if repr(globals()[one]) != repr(value)], before)"
    execute = tool_of(tool)
    source = execute.write(
        "before = 1",
        code("plain = 'default'; before = 2", "parameters"),
        code("plain = 'of an earlier execution'", "injected-parameters"),
        seen,
    )
    before = source.read_bytes()
    done = execute(source, *(word for row in VALUES for word in row[:3]))
    assert (done.code, done.out, done.own) == (0, "[] 2\n", []), done.err
    assert done.outputs() == ["[] 2\n"]
    assert source.read_bytes() == before


@each_tool
def test_output_is_seen_while_a_cell_runs_which_has_no_modules_shadowed(
    tool: str, tool_of: Callable[[str], Tool]
) -> None:
    execute = tool_of(tool)
    wait = "import os, sys, time\nprint('begun', value)\nwhile not os.path.exists('go'): time.sleep(0.02)"
    source = execute.write("value = 7", wait, "sys.stderr.write('careful\\n'); os.path.basename(os.getcwd())")
    (execute.folder / "start").mkdir()
    for module in ("json", "papermill", "nbformat", "black"):
        for folder in (source.parent, execute.folder / "start"):
            (folder / f"{module}.py").write_text("raise SystemExit('the wrong module')")
    with execute.start(source) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun 7\n"
        (source.parent / "go").touch()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "'work {0}'\n"), err
    assert "careful\n" in err


@each_tool
def test_a_cell_that_fails(tool: str, tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of(tool)
    source = execute.write("print('first')", "", "raise ValueError('not\\x1b[31m\\nhere ä')", "print('never')")
    done = execute(source)
    assert (done.code, done.out) == (1, "first\n"), done.err
    assert done.own == ["cell 2 of look.ipynb failed: ValueError: not [31m here ä"]
    assert "Cell In[2], line 1" in done.err
    assert "\x1b[0;31m" not in done.err
    assert done.outputs()[-2:] == ["first\n", "ValueError"]


@each_tool
def test_a_kernel_that_dies_is_told(tool: str, tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of(tool)
    done = execute(execute.write("1", "import os; os.kill(os.getpid(), 9)"))
    said = "cell 2 of look.ipynb failed: DeadKernelError: the kernel has died; did the memory suffice?"
    assert (done.code, done.own) == (1, [said]), done.err


@each_tool
def test_a_cell_may_end_the_notebook_by_exit_0(tool: str, tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of(tool)
    done = execute(execute.write("import sys; print('ready'); sys.exit(0)", "print('never')"))
    assert (done.code, done.out, done.own) == (0, "ready\n", []), done.err


@each_tool
def test_term_ends_a_kernel_that_does_not_want_to(tool: str, tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of(tool)
    cell = (
        "import os, signal, subprocess, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\nprint(os.getpid(), child.pid)\n"
        "while True:\n  try: time.sleep(600)\n  except BaseException: pass"
    )
    with execute.start(execute.write(cell)) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        took = time.monotonic() - begun
        process.communicate(timeout=30)
    assert len(pids) == 2
    assert [pid for pid in pids if alive(pid)] == []
    assert took < 5


def alive(pid: int) -> bool:
    """Whether a process runs. It has been killed, but what reaps it may take a moment."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return True


def test_without_papermill_and_nbconvert(tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of("neither")
    done = execute(execute.write("1"))
    assert (done.code, len(done.err.splitlines())) == (64, 1)
    assert done.own[0].startswith("the image has neither papermill nor nbconvert: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no notebook {folder}/broken.ipynb"),
        (b"", "broken.ipynb is not a notebook: "),
        (b'{"cells": [', "broken.ipynb is not a notebook: "),
        (b"[1]", "broken.ipynb is not a notebook: "),
        (b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}}', "broken.ipynb is not a notebook: "),
        (
            b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"cell_type": "code"}]}',
            "broken.ipynb is not a notebook: ",
        ),
        (b"\x80\x81", "broken.ipynb is not a notebook: it is no text"),
    ],
)
def test_what_is_no_notebook(content: bytes | None, said: str, tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of("nbconvert")
    source = execute.folder / "broken.ipynb"
    if content is not None:
        source.write_bytes(content)
    done = execute(source)
    assert (done.code, done.out, len(done.err.splitlines())) == (64, "", 1), done.err
    assert done.own[0].startswith(said.format(folder=execute.folder))


def test_a_kernel_that_is_not_there_is_named_with_those_that_are(tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of("papermill")
    done = execute(execute.write("1", kernelspec={"name": "conda-env-mine", "display_name": "x", "language": "python"}))
    assert (done.code, done.err.splitlines()[1:]) == (64, [])
    assert done.own[0].startswith("look.ipynb is for the kernel conda-env-mine, which the image does not have. It has:")
    assert "python3" in done.own[0]


def test_a_kernel_that_does_not_start(tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of("nbconvert")
    spec = execute.folder / "home/.local/share/jupyter/kernels/dud/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["false"], "display_name": "dud", "language": "python"}))
    done = execute(execute.write("1", kernelspec={"name": "dud", "display_name": "dud"}))
    assert done.code == 64, done.err
    assert done.own[0].startswith("the kernel dud cannot execute look.ipynb: ")


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (("learning-rate", "json", "1"), "no variable of a notebook can be called as the parameter learning-rate is"),
        (("lambda", "text", "1"), "no variable of a notebook can be called as the parameter lambda is"),
        (("lr", "json", "NaN"), "the parameter lr is not JSON: NaN"),
        (("lr", "json", "1e999"), "the parameter lr is not JSON: 1e999"),
        (("lr", "json", "0.1\nkade2kfp: fine"), "the parameter lr is not JSON: 0.1 kade2kfp: fine"),
    ],
)
def test_parameters_that_cannot_be(parameter: tuple[str, ...], said: str, tool_of: Callable[[str], Tool]) -> None:
    execute = tool_of("nbconvert")
    done = execute(execute.write("1"), *parameter)
    assert (done.code, done.err) == (64, f"kade2kfp: {said}\n")


def test_it_is_python_of_3_8_and_holds_nothing_that_is_replaced() -> None:
    text = embed_python("notebook.py")
    ast.parse(text, feature_version=(3, 8))
    assert [mark for mark in ("{" * 2, "$" * 2, "$(") if mark in text] == []
