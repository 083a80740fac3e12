"""A gated step in a container of its own PID namespace, on each shell and as root and as nobody special.

Never start the script of a gate elsewhere: when it ends, it ends every other process that it may.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .step_script import SHELLS, Box, environment, program, start

STEP = "train-1"
UID = "5b1f4c1e-7d0c-4f0a-9a3e-0d5c1b2a3f44"
EVERY = [(shell, user) for shell in SHELLS for user in (0, 1000)]
# Each shell and each user, but not each with each; the other half of that is in OTHERS.
SOME = [(shell, user) for shell, user in zip(SHELLS, (0, 1000, 1000, 0), strict=True)]
OTHERS = [pair for pair in EVERY if pair not in SOME]
THOROUGH = os.environ.get("KADE2KFP_TESTS") == "thorough"
PATIENCE = 30.0
LOOK = 0.2  # seconds from one look to the next, where it is quick
OBSERVER = Path(__file__).with_name("gate_observer.py")


def gate(
    *,
    message: str = "",
    timeout: int = 0,
    on_timeout: str = "reject",
    on_exit: str = "wait",
    on_reject: str = "fail",
    ways: str = "csl",
    values: Mapping[str, str | None] | None = None,
    types: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The words of a gate and its outputs, which go to /box/put/NAME.

    `values` are the declared ones, by name: their default, or None where one is required. `types` are of values, else string.
    """
    words = ["+", message] if message else []
    words += ["g", f"{STEP} {timeout} {on_timeout} {on_exit} {on_reject} {ways}"]
    for name, default in (values or {}).items():
        words += [] if default is None else ["+", f"={default}"]
        words += ["V", name]
    for name in ("decision", "by", *(f"value-{name}" for name in values or {})):
        bare = name.removeprefix("value-")
        kind = (types or {}).get(bare, "string")
        words += ["+", f"{kind}\n{name}\n/box/put/{bare}", "r", f"/kade/run/out/{name}"]
    return tuple(words)


@dataclass(frozen=True)
class Ended:
    """What was when the step had ended; `own` are the script's own lines, `left` the processes that it left behind."""

    code: int | None
    state: str
    out: bytes
    own: list[str]
    err: str
    left: list[str]
    put: dict[str, str]


@dataclass(frozen=True)
class Deciding:
    """The folders of a gated step, as those who decide see them."""

    folder: Path

    @property
    def run(self) -> Path:
        """/kade/run"""
        return self.folder / "run"

    def file(self, way: str, name: str) -> Path:
        """Where that way has the file of that name."""
        return {
            "c": self.folder / "gate" / f"{STEP}.{name}",
            "s": self.folder / "shared" / name,
            "l": self.run / name,
        }[way]

    def write(self, way: str, name: str, content: str | bytes) -> None:
        """Puts a whole file there at once."""
        file = self.file(way, name)
        new = file.with_name(f".new-{file.name}")
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        new.rename(file)

    def decide(
        self,
        way: str = "c",
        word: str = "resume",
        *,
        uid: str = UID,
        by: str | None = "ann",
        reason: str | None = None,
        values: Mapping[str, str | bytes] | None = None,
    ) -> None:
        """Decides, as the commands do: the decision comes last."""
        for name, value in (values or {}).items():
            self.write(way, f"value-{name}", value)
        if by is not None:
            self.write(way, "by", by)
        if reason is not None:
            self.write(way, "reason", reason)
        self.write(way, "decision", f"{word} {uid}\n")


@dataclass(frozen=True)
class Running(Deciding):
    """A gated step that was started."""

    process: subprocess.Popen[str] = field(repr=False)

    def order(self, text: str) -> None:
        """`step TERM` sends a signal to the step's first process, `group TERM` to its group as well."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def state(self) -> str:
        """The gate's state, '' before there is one."""
        return read(self.run / "state").strip()

    def opened(self) -> None:
        """Returns when the gate is open."""
        self.until(lambda: self.state() == "open", "the gate is not open")
        self.said("waiting for a person")

    def said(self, text: str) -> None:
        """Returns when the script has said so."""
        self.until(lambda: text in read(self.folder / "err"), f"it did not say {text!r}")

    def until(self, happens: Callable[[], object], otherwise: str, within: float = PATIENCE) -> None:
        """Returns when it happens; fails when it does not, or when the step has ended without."""
        end = time.monotonic() + within
        while not happens():
            ended = self.process.poll() is not None
            assert not ended or happens(), f"{otherwise}, and the step has ended: {read(self.folder / 'err')}"
            assert time.monotonic() < end, f"{otherwise}: {read(self.folder / 'err')}"
            time.sleep(0.01)

    def looks(self, times: int = 2) -> None:
        """Returns after so many looks at the ways; the gate must still be open."""
        time.sleep(times * (LOOK + 0.05) + 0.2)
        assert self.state() == "open", self.folder.joinpath("err").read_text()

    def end(self) -> Ended:
        """Waits for the end of the step."""
        try:
            # communicate() would close stdin, which ends the container.
            assert self.process.stdout is not None
            self.process.wait(PATIENCE)
            report = self.process.stdout.read()
        except subprocess.TimeoutExpired:
            report = ""
        err = read(self.folder / "err")
        assert report, f"the step did not end: {err}"
        told = ast.literal_eval(report)
        put = self.folder / "put"
        return Ended(
            told["code"],
            self.state(),
            (self.folder / "out").read_bytes(),
            [line[10:] for line in err.splitlines() if line.startswith("kade2kfp: ")],
            err,
            told["left"],
            {file.name: read(file) for file in sorted(put.iterdir())} if put.is_dir() else {},
        )


def read(file: Path) -> str:
    """The text of a file, '' where there is none; in /proc the process may be gone once its file is open."""
    try:
        return file.read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass(frozen=True)
class GateBox(Deciding):
    """A container for one gated step; its /kade/gate, /kade/shared and /kade/run are in the folder that is /box."""

    shell: str
    user: int

    @contextmanager
    def start(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        beside: Iterable[str] = (),
        more: Iterable[str] = (),
        quick: bool = True,
        look: float = LOOK,
    ) -> Iterator[Running]:
        """Starts the step of these words, and leaves nothing of it behind.

        `env` is the container's environment, `more` are bubblewrap's own words. `quick`: it looks for a decision five
        times as often as it does in truth, for its `sleep 1` is a shorter one; or each `look` seconds.
        """
        if look != LOOK:
            pause = self.folder / "quick/sleep"
            pause.write_text(pause.read_text().replace(f"-- {LOOK}", f"-- {look}"))
        around = Box(self.shell, self.folder, self.user).around(
            [
                *("--as-pid-1", "--ro-bind", sys.prefix, sys.prefix, "--tmpfs", "/kade"),
                *("--ro-bind", str(self.folder / "gate"), "/kade/gate"),
                *("--bind", str(self.folder / "shared"), "/kade/shared"),
                *("--bind", str(self.folder / "run"), "/kade/run"),
                *more,
            ]
        )
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            own = environment(self.shell, {"KFP_POD_UID": UID, **(env or {})})
            if quick:
                own["PATH"] = f"/box/quick:{own['PATH']}"
            order = {
                "command": start(self.shell, *words),
                "env": own,
                "beside": list(beside),
                "out": out.fileno(),
                "err": err.fileno(),
            }
            command = [*around, sys.executable, "-I", "-S", "-c", OBSERVER.read_text(encoding="utf-8")]
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=(out.fileno(), err.fileno()),
            )
        step = Running(self.folder, process)
        try:
            step.order(repr(order))
            yield step
        finally:
            # The end of the first process is the end of all.
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def new_box(folder: Path, shell: str, user: int) -> GateBox:
    """A box in a new folder."""
    for name in ("gate", "shared", "run"):
        (folder / name).mkdir(parents=True)
    (folder / "quick").mkdir()
    sleep = f"{program('busybox')} sleep" if shell == "busybox" else program("sleep")
    (folder / "quick/sleep").write_text(f'#!/bin/sh\n[ "$*" != 1 ] || set -- {LOOK}\nexec {sleep} "$@"\n')
    (folder / "quick/sleep").chmod(0o755)
    return GateBox(folder, shell, user)


Boxes = Callable[..., None]


@pytest.fixture
def boxes(tmp_path: Path, request: pytest.FixtureRequest) -> Boxes:
    """`boxes(case)` calls `case` with a box for each shell and each user, all at the same time: most of it is waiting.

    Which user a shell has goes by the name of the test, so that over all tests each has been with each; with
    KADE2KFP_TESTS=thorough, and `among` EVERY, in the test itself.
    """
    half = OTHERS if zlib.crc32(request.node.name.encode()) % 2 else SOME

    def run(case: Callable[[GateBox], None], among: Iterable[tuple[str, int]] = EVERY if THOROUGH else half) -> None:
        def one(shell: str, user: int) -> Exception | None:
            box = new_box(tmp_path / f"{shell}-{user}", shell, user)
            try:
                case(box)
            except Exception as problem:
                problem.add_note(f"in {shell}, as user {user}")
                return problem
            return None

        pairs = list(among)
        for shell, _ in pairs:
            environment(shell)  # makes busybox's folder of tools, once: not by several threads
        with ThreadPoolExecutor(len(pairs)) as pool:
            # `case` has one of the pairs in a thread of its own: bubblewrap ends with the thread that started it.
            problems = [problem for problem in pool.map(one, *zip(*pairs, strict=True)) if problem]
        if problems:
            # What is the same in several boxes is told once.
            several = {str(problem): problem for problem in problems}
            raise ExceptionGroup(f"{len(problems)} of {len(pairs)} boxes", list(several.values()))

    return run


def children(pid: int) -> list[int]:
    """The processes that this one has started and that are still there, zombies included."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = read(Path("/proc", name, "stat"))
            if stat and int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(name))
    return found
