"""The manual's pages, and what can be tried in them: console blocks, documents, links."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import warm

from kade2kfp.local.environments import environment

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    sorted(
        path.relative_to(ROOT).as_posix()
        for path in (
            ROOT / "README.md",
            ROOT / "CONTRIBUTING.md",
            *ROOT.glob("docs/*.md"),
            *ROOT.glob("examples/*/*.md"),
        )
    )
)
COPIED = ("README.md", "Makefile", "docs", "examples", "schemas", "scripts")
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"[|&;<>$`*?~()#\\]")
"""What of a command line is for the shell."""
# What is another at each run: sizes, names of runs, times, the Python.
_VARYING = (
    (re.compile(r"\d[\d,.]* (B|KiB)\b"), "SIZE"),
    (re.compile(r"\b([a-z0-9-]+)-\d{8}-\d{6}-[0-9a-f]{4}\b"), r"\1-RUN"),
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "VERSION"),
    (re.compile(r"\d{4}-\d\d-\d\d "), ""),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b(\d+m\d\d|\d+(\.\d)?)s\b"), "TOOK"),
    (re.compile(r"http://127\.0\.0\.1:\d+(/\?token=[0-9a-f]{48}\b)?"), "ADDRESS"),
    (re.compile(r"\bPython 3\.\d+\.\d+"), "Python"),
    (re.compile(r" +"), " "),
)


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, its text, and the line where it begins."""

    info: tuple[str, ...]
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""


@dataclass(frozen=True)
class Call:
    """A command line of a console block, and what is shown below it."""

    command: str
    shown: str
    line: int


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    return [
        Block(tuple(match["info"].split()), match["text"], text.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(text)
    ]


def file_of(block: Block) -> str:
    """The name of the file that a page shows whole, such as that of ```python train.py; empty where it is a part."""
    return block.info[-1] if len(block.info) > 1 and "." in block.info[-1] else ""


def calls(block: Block) -> Iterator[Call]:
    """The commands, which stand behind `$ `; all other lines are what the command before them prints."""
    command, shown, at = "", [], 0
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            if command:
                yield Call(command, "\n".join(shown), at)
            command, shown, at = line[2:], [], number
        else:
            shown.append(line)
    if command:
        yield Call(command, "\n".join(shown), at)


def prose(text: str) -> str:
    """A page without its blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def checkout(folder: Path) -> Path:
    """A copy of what the manual's commands are called on."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def run(command: str, folder: Path, groups: list[int] | None = None) -> tuple[int, str]:
    """The exit code of a command line and all that it prints. `make` uses this environment in place of its own.

    What it leaves running in the background (its output must go to a file) belongs to the process group that is added to
    `groups`: `end` ends it.
    """
    if command.startswith("make "):
        command += " RUN=@"
    hidden = ("MAKE", "MFLAGS", "PYTEST_", "COLUMNS", "FORCE_COLOR")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"}
    env |= {"NO_COLOR": "1", "KADE2KFP_HOME": str(_home(folder))}
    if command.startswith("kade2kfp ") and not _SHELL.search(
        command
    ):  # needs no shell, so its imports can be done before
        start, words = warm.Popen, [sys.executable, "-m", *shlex.split(command)]
    else:
        start, words = subprocess.Popen, ["sh", "-c", command]
        env |= {"PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}
    with start(
        words,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        if groups is not None:
            groups.append(process.pid)
        try:
            printed, _ = process.communicate(timeout=300)
        except BaseException:
            end([process.pid])
            raise
    return process.returncode, printed


def end(groups: Iterable[int]) -> None:
    """End what still runs of these process groups."""
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
            until = time.monotonic() + 20
            while time.monotonic() < until:
                os.killpg(group, 0)
                time.sleep(0.05)
            os.killpg(group, signal.SIGKILL)


def _home(folder: Path) -> Path:
    """A home for runs. Environments are those of earlier tests: installing packages takes its time."""
    shared, home = ROOT / ".cache" / "test-environments", folder / ".cache" / "runs-home"
    if not home.exists():
        shared.mkdir(parents=True, exist_ok=True)
        home.mkdir(parents=True)
        (home / "environments").symlink_to(shared)
        environment(home, (), log=None, cancelled=threading.Event())
    return home


def agrees(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed. A line `...` stands for any lines; a size or a time for any other."""
    wanted = _same(shown)
    got = _same("\n".join(line.rstrip() for line in printed.strip("\n").splitlines()))
    pattern = "\n".join(r"(?s:.*)" if line == "..." else re.escape(line) for line in wanted.splitlines())
    return re.fullmatch(pattern, got) is not None


def _same(text: str) -> str:
    text = text.strip("\n")
    for pattern, same in _VARYING:
        text = pattern.sub(same, text)
    return text


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def with_output(text: str, call: Call, printed: str) -> str:
    """The page's text with what a call printed in place of what was shown."""
    rows = text.splitlines(keepends=True)
    end = call.line + len(call.shown.splitlines())
    return "".join([*rows[: call.line], f"{printed.strip(chr(10))}\n" if printed.strip() else "", *rows[end:]])
