from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import pytest
import warm

sys.path.insert(0, str(Path(__file__).parent))
from sample import START, sample_state

from kade2kfp.cli.progress import changes, cut, frame, last_line, progress
from kade2kfp.cli.tries import Tries
from kade2kfp.diagnostics.escape import width
from kade2kfp.local.state import Attempt, Failure, RunState, StepState

FOLDER = str(Path(__file__).parent)
# A runner made by hand: three tasks, one of them prints, one fails. `pause` stops in the middle until a line comes.
RUNNER = """
import sys, time
sys.path.insert(0, {folder!r})
from dataclasses import replace
from pathlib import Path
from sample import sample_state
from kade2kfp.cli.progress import progress
from kade2kfp.cli.streams import say
from kade2kfp.local.state import Attempt
folder, mode, then = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
last = sample_state("run-1")
make, train, report = last.steps
first = replace(last, status="running", ended=None, steps=tuple(
    replace(step, status="waiting", started=None, ended=None, attempts=(), failure=None, note="", metrics={{}})
    for step in last.steps))
running = replace(make, status="running", ended=None, metrics={{}}, started=time.time(),
                  attempts=(Attempt(1, "logs/make.log", time.time()),))
with progress(folder, mode=mode) as tell:
    tell(first)
    tell(first.with_step(running))
    if then == "raise":
        raise SystemExit(9)
    if then == "pause":
        time.sleep(0.4)
        say("a word [bold]between[/]")
        Path(folder, "ready").touch()
        sys.stdin.readline()
    second = first.with_step(make)
    tell(second)
    tell(second.with_step(train))
    tell(last)
Path(folder, "done").touch()
"""


def runner(folder: Path, mode: str = "auto", then: str = "go") -> list[str]:
    return [sys.executable, "-c", RUNNER.format(folder=FOLDER), str(folder), mode, then]


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return {**kept, "TERM": "xterm-256color", **more}


class Terminal:
    """A process on a terminal of its own, and what it printed there."""

    def __init__(self, argv: list[str], *, lines: int = 24, columns: int = 80, **more: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(lines, columns)
        self.process = warm.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave, env=environment(**more)
        )
        os.close(slave)
        self.text = b""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.master], [], [], left)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # Linux' way to say that nobody has it open any more
                return
            self.text += data

    def until(self, what: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while what not in self.text.decode(errors="replace"):
            assert time.monotonic() < end, self.text
            self.read(0.1)

    def answer(self) -> str:
        """Let it go on; what it printed until its end."""
        assert self.process.stdin
        self.process.stdin.write(b"\n")
        self.process.stdin.close()
        return self.rest()

    def rest(self) -> str:
        end = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < end
            self.read(0.05)
        self.read(20)  # to its end, which comes at once: nobody has it open any more
        os.close(self.master)
        assert self.process.stdout
        assert self.process.stdout.read() == b"", "standard output is not for progress"
        self.process.stdout.close()
        return self.text.decode(errors="replace")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def test_a_pipe_gets_a_plain_line_for_each_change(tmp_path):
    done = warm.run(runner(tmp_path), capture_output=True, text=True, env=environment(), timeout=60)
    assert done.returncode == 0
    assert done.stdout == ""
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in done.stderr.splitlines())
    assert [line[9:] for line in done.stderr.splitlines()] == [
        "make: started",
        "make: succeeded in 1.5s (rows=3, accuracy=0.75)",
        "train: failed: the command exited with code 3",
        "report: skipped: train failed",
        "run-1: failed in 5.0s (1 succeeded, 1 failed, 1 skipped)",
    ]


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"CI": "true"}, {"TERM": ""}])
def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines(tmp_path, more):
    text = Terminal(runner(tmp_path), **more).rest()
    assert "\x1b" not in text
    assert "train: failed: the command exited" in text


def test_a_line_is_there_as_soon_as_its_change_happened(tmp_path):
    process = warm.Popen(
        runner(tmp_path, "plain", "pause"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stderr
    assert process.stderr.readline().endswith(b"make: started\n")
    assert process.poll() is None
    process.communicate(b"\n", timeout=20)
    assert process.returncode == 0


def test_mode_none_says_nothing(tmp_path):
    done = warm.run(runner(tmp_path, "none"), capture_output=True, env=environment(), timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("mode", ["plain", "live"])
@pytest.mark.parametrize("target", ["closed", "full", "unread"])
def test_the_run_goes_on_whatever_standard_error_is(tmp_path, mode, target):
    argv = runner(tmp_path, mode)
    if target == "closed":
        code = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *argv], env=environment(), timeout=60).returncode
    elif target == "full":
        with open("/dev/full", "wb") as full:
            code = warm.run(argv, stderr=full, env=environment(), timeout=60).returncode
    else:
        reader, writer = os.pipe()
        os.close(reader)
        code = warm.run(argv, stderr=writer, env=environment(), timeout=60).returncode
        os.close(writer)
    assert code == 0
    assert (tmp_path / "done").exists()


def test_a_pipe_that_nobody_empties_does_not_hold_the_run(tmp_path):
    code = """
import sys
sys.path.insert(0, {folder!r})
from dataclasses import replace
from pathlib import Path
from sample import sample_state
from kade2kfp.cli.progress import progress
last = sample_state()
step = replace(last.steps[2], note="x" * 9000)
with progress(Path(sys.argv[1]), mode="plain") as tell:
    for _ in range(50):
        tell(last.with_step(replace(step, status="waiting")))
        tell(last.with_step(step))
    Path(sys.argv[1], "over").touch()
"""
    reader, writer = os.pipe()
    process = warm.Popen(
        [sys.executable, "-c", code.format(folder=FOLDER), str(tmp_path)], stderr=writer, env=environment()
    )
    os.close(writer)
    try:
        end = time.monotonic() + 20
        while not (tmp_path / "over").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        assert process.poll() is None, "it waits to write the rest"
        with open(reader, "rb", closefd=False) as pipe:
            assert pipe.read().count(b"skipped") == 50, "nothing is lost where the reader was only slow"
        assert process.wait(20) == 0
    finally:
        os.close(reader)
        process.kill()
        process.wait()


def test_live_draws_a_line_a_task_with_the_last_line_of_its_log(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/make.log").write_bytes(
        b"first\n\x1b[32mloss [red]0.3[/red]\xff\x1b[0m\x07\rloss 0.2 \xe2\x80\xae\n\n"
    )
    terminal = Terminal(runner(tmp_path, "auto", "pause"))
    terminal.until("a word [bold]between[/]")  # what others say appears above, as it is
    terminal.until(r"loss 0.2 \u202e")
    assert "\x07" not in terminal.text.decode(errors="replace")
    text = terminal.answer()
    rows = plain(text).splitlines()
    begin = max(number for number, row in enumerate(rows) if row.startswith("✓ make"))
    last = rows[begin : begin + 4]
    assert [line.split("  ")[0] for line in last] == [
        "✓ make",
        "✗ train",
        "- report",
        "run-1: 1 succeeded, 1 failed, 1 skipped, 5.0s",
    ]
    assert "the command exited with code 3" in "".join(last)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor is back"


def test_live_survives_a_terminal_that_shrinks_and_goes(tmp_path):
    terminal = Terminal(runner(tmp_path, "live", "pause"))
    terminal.until("run-1")
    for lines, columns in ((3, 10), (1, 1), (60, 300)):
        terminal.resize(lines, columns)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.read(0.3)
    terminal.until("a word")
    assert terminal.process.stdin
    assert terminal.process.poll() is None
    os.close(terminal.master)
    terminal.process.communicate(b"\n", timeout=20)
    assert terminal.process.returncode == 0
    assert (tmp_path / "done").exists()


def test_live_gives_the_terminal_back_when_the_runner_breaks_off(tmp_path):
    terminal = Terminal(runner(tmp_path, "live", "raise"))
    text = terminal.rest()
    assert terminal.process.returncode == 9
    assert "\x1b[?25h" in text


def test_no_color_is_honoured(tmp_path):
    text = Terminal(runner(tmp_path, "live"), NO_COLOR="1").rest()
    assert "✗ train" in text
    assert not re.search(r"\x1b\[[0-9;]*m", text)


def many(count: int, **status: int) -> RunState:
    steps = [
        StepState(f"s{n}", f"t{n}", f"t{n}", "job", started=START, attempts=(Attempt(1, f"logs/{n}.log", START),))
        for n in range(count)
    ]
    at = count
    for word, some in status.items():  # the last ones, so that the order is not theirs by chance
        for position in range(at - some, at):
            steps[position] = replace(steps[position], status=word)
        at -= some
    return replace(sample_state(), status="running", ended=None, steps=tuple(steps))


def test_more_tasks_than_lines_are_folded_and_running_and_failed_ones_stay(tmp_path):
    rows = ["".join(text for text, _ in row) for row in frame(many(100, failed=2, running=3), tmp_path, START, 80, 12)]
    assert len(rows) < 12
    assert sum(row.startswith("▸") for row in rows) == 3
    assert sum(row.startswith("✗") for row in rows) == 2
    assert rows[-2] == "  and 91 more waiting"
    assert rows[-1].startswith("flow: 2 failed, 3 running, 95 waiting, ")


@pytest.mark.parametrize("columns", [0, 1, 7, 20, 79])
@pytest.mark.parametrize("lines", [1, 2, 5])
def test_no_line_is_wider_than_the_terminal(tmp_path, columns, lines):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/0.log").write_text("中文" * 3000)
    state = many(9, failed=3, running=5)
    state = state.with_step(replace(state.steps[8], task="长" * 100, failure=Failure("K710", "a\x1b[2Jb" * 99)))
    rows = frame(state, tmp_path, START, columns, lines)
    assert len(rows) <= max(lines, 2)
    assert all(sum(width(text) for text, _ in row) <= columns for row in rows)
    assert "\x1b" not in str(rows)


def test_500_tasks_that_change_all_the_time_cost_little(tmp_path):
    code = """
import sys, time
sys.path[:0] = [{folder!r}]
from dataclasses import replace
from pathlib import Path
from kade2kfp.cli.progress import progress
from kade2kfp.local.state import Attempt, RunState, StepState
steps = tuple(StepState(f"s{{n}}", f"t{{n}}", f"t{{n}}", "job", "running", (), time.time(),
                        attempts=(Attempt(1, "log", time.time()),)) for n in range(500))
state = RunState("i", "r", "p", "p", "d", "running", time.time(), "process", {{}}, steps)
states = [state.with_step(replace(steps[n], status="succeeded", ended=time.time())) for n in range(50)]
Path(sys.argv[1], "log").write_text("line" * 50)
with progress(Path(sys.argv[1]), mode=sys.argv[2]) as tell:
    tell(state)
    time.sleep(0.3)
    before = time.process_time()
    for one in states:
        tell(one)
        time.sleep(0.02)
    spent = time.process_time() - before
Path(sys.argv[1], "spent").write_text(str(spent))
"""
    for mode in ("live", "plain"):
        terminal = Terminal([sys.executable, "-c", code.format(folder=FOLDER), str(tmp_path), mode], lines=50)
        terminal.rest()
        spent = float((tmp_path / "spent").read_text())
        assert spent < 0.3, f"{mode}: {spent:.2f}s of CPU in one second"  # a tenth of it where nothing else runs


def test_attempts_are_told_with_what_ended_the_last():
    state = many(1, running=1)
    step = state.steps[0]
    again = replace(step, attempts=(Attempt(1, "a", START, START + 1, 7), Attempt(2, "b", START + 2)))
    assert changes(state, state.with_step(again)) == ["t0: attempt 2 started, 1 exited with code 7"]
    assert changes(state.with_step(again), state.with_step(replace(again, note="x"))) == []


def test_what_loads_data_tells_each_try(tmp_path, capfd):
    """While it goes on, whole lines, escaped, and not those of other steps; what comes at its end stands before its end."""
    state = many(2)
    loads, other = (
        replace(one, status="running", attempts=(Attempt(1, f"{one.task}.log", START),)) for one in state.steps
    )
    loads = replace(loads, type="loadData")
    again = b"kade2kfp: http://x/y?***: refused \x1b]0;z\xff; trying again in 1 s\n"
    (tmp_path / "t1.log").write_bytes(again)
    seen = ""

    def read(what):
        nonlocal seen
        end = time.monotonic() + 30
        while what not in seen and time.monotonic() < end:
            time.sleep(0.02)
            seen += capfd.readouterr().err
        return seen

    with progress(tmp_path, mode="plain") as tell:
        tell(state)
        state = state.with_step(loads).with_step(other)
        tell(state)
        (tmp_path / "t0.log").write_bytes(b"hello\n" + again + b"kade2kfp: half of a line; trying")
        assert "t0: http://x/y?***: refused \\x1b]0;z" in read("again in 1 s\n")
        with (tmp_path / "t0.log").open("ab") as log:
            log.write(b" again in 2 s\nkade2kfp: given up\n")
        tell(state.with_step(replace(loads, status="failed", failure=Failure("K710", "given up"))))
    read("failed")
    rows = [row[9:] for row in seen.splitlines() if not row.endswith("started")]
    assert [row.partition("\\x1b")[0] for row in rows] == [
        "t0: http://x/y?***: refused ",
        "t0: half of a line; trying again in 2 s",
        "t0: failed: given up",
    ]


def test_a_log_that_cannot_be_looked_at_is_none(tmp_path):
    state = many(3)
    tries = Tries(tmp_path)
    assert tries.new(None) == tries.new(state) == []
    for number, name in enumerate(("", ".", "none/x")):
        step = replace(state.steps[number], type="loadData", status="running", attempts=(Attempt(1, name, START),))
        state = state.with_step(step)
    assert tries.new(state) == []
    long = tmp_path / "long"
    long.write_bytes(b"x" * 200_000 + b"\nkade2kfp: it; trying again in 3 s\n")
    step = replace(state.steps[0], attempts=(Attempt(1, "long", START),))
    found = [said for _ in range(6) for _, said in tries.new(state.with_step(step))]
    assert found == ["it; trying again in 3 s"]


def test_what_an_earlier_run_left_is_told_at_the_start():
    state = many(2)
    state = state.with_step(replace(state.steps[0], status="reused", note="from flow-1", outputs={"rows": [1, 2]}))
    assert changes(None, state) == ["t0: reused: from flow-1 (rows=[1, 2])"]


def test_texts_of_the_document_stay_on_their_line():
    state = many(1)
    failed = replace(state.steps[0], task="a\nb\x1b[2J", status="failed", failure=Failure("K710", "one\r\ntwo"))
    assert changes(state, state.with_step(failed)) == [r"a\x0ab\x1b[2J: failed: one\x0d\x0atwo"]


def test_steps_of_one_task_are_told_apart():
    state = many(2, running=0)
    attempts = (Attempt(1, "a", START),)
    both = tuple(replace(step, task="train", status="running", attempts=attempts) for step in state.steps)
    state = replace(state, steps=tuple(replace(step, attempts=()) for step in state.steps))
    assert changes(state, replace(state, steps=both)) == ["s0: started", "s1: started"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", ""),
        (b"\n\n", ""),
        (b"one\ntwo\n", "two"),
        (b"10%\r20%\r30%", "30%"),
        (b"bar\x1b[K\r\x1b[2K\n", "bar"),
        (b"\xff\xfe x\t1", "�� x 1"),
        (b"old\n" + b"x" * 100_000, "x" * 300),
        (b"\x00", r"\x00"),
    ],
)
def test_the_last_line_of_a_log(tmp_path, content, line):
    (tmp_path / "log").write_bytes(content)
    assert last_line(tmp_path / "log") == line


def test_a_log_that_is_not_there_or_no_file(tmp_path):
    assert last_line(tmp_path / "log") == ""
    assert last_line(tmp_path) == ""


def test_cutting_counts_columns():
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
    assert cut("中文字", 4) == "中…"
    assert cut("abc", 0) == ""
