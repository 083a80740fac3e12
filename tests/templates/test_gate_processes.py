"""What a gate does with processes: its command's, others', its own; and signals, at each moment of its life."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from .gate_box import EVERY, SOME, Boxes, GateBox, Running, boxes, children, gate, new_box, read

__all__ = ["boxes"]

# How a process comes to be out of its parent's reach; each leaves one that says nothing and would stay.
ESCAPES = {
    "a child": "sleep 600 & wait",
    "a child of a child": "sh -c 'sleep 600 & wait' & wait",
    "an orphan": "(sleep 600 &) ; exec sleep 600",
    "a session of its own": "setsid sleep 600 & exec sleep 600",
    "a daemon": "(setsid sh -c 'sleep 600 & exec sleep 600' &) ; exec sleep 600",
    "many": "i=0; while [ $i -lt 50 ]; do sleep 600 & i=$((i+1)); done; wait",
    "stopped": "sleep 600 & kill -STOP $!; wait",
    "zombies": "(sleep 0 & exec sleep 600) & exec sleep 600",
}


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)
def test_nothing_is_left_of_the_command(boxes: Boxes, script: str) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sh", "-c", f"echo; {script}") as step:
            step.until(lambda: read(box.folder / "out"), "the command does not run")
            time.sleep(0.3)
            step.decide()
            done = step.end()
        assert (done.code, done.left) == (0, [])
        assert done.err.count("\n") == 2, done.err

    boxes(case, SOME)


def test_nothing_is_left_of_a_command_that_has_ended_before(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sh", "-c", "sleep 600 & setsid sleep 600 & (sleep 600 &) ; exit 3") as step:
            step.said("ended by itself with code 3")
            step.decide("c", "reject")
            done = step.end()
        assert (done.code, done.left) == (75, [])

    boxes(case)


def test_what_others_started_in_the_container_ends_too_but_not_those_above_the_step(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sleep", "600", beside=["sleep", "500"]) as step:
            step.opened()
            step.decide()
            done = step.end()
        # A launcher that was killed could not have told the code.
        assert (done.code, done.left) == (0, [])

    boxes(case, EVERY)


def test_what_does_not_listen_is_killed_after_ten_seconds(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(
            *gate(), "--", "sh", "-c", 'trap "" TERM; echo; sleep 600; sleep 600; sleep 600', quick=False
        ) as step:
            step.until(lambda: read(box.folder / "out"), "the command does not run")
            step.decide()
            step.until(lambda: step.state() == "resume", "no decision")
            begin = time.monotonic()
            done = step.end()
            took = time.monotonic() - begin
        assert (done.code, done.left) == (0, [])
        assert 8.5 < took < 14

    boxes(case)


def test_who_holds_the_output_open_does_not_keep_the_step(boxes: Boxes) -> None:
    """KFP's launcher reads until nobody has the pipe open."""

    def case(box: GateBox) -> None:
        with box.start(
            *gate(on_exit="advance"), "--", "sh", "-c", "setsid sleep 600 & (sleep 600 2>&1 &) ; echo x"
        ) as step:
            done = step.end()
        assert (done.code, done.out, done.left) == (0, b"x\n", [])

    boxes(case)


def test_the_commands_words_variables_and_output_are_its_own(boxes: Boxes) -> None:
    odd = 'it\'s "a" $HOME\\ * \t한\n'
    # Not python3 of PATH: that may be a script, which needs more than busybox's tools.
    show = (
        "import json,os,sys;a=os.read(0,9).decode();"
        "print(json.dumps([sys.argv[1:],dict(os.environ),os.getcwd(),a]),flush=True);sys.stderr.write('to\\0err');sys.stderr.flush()"
    )
    given = {"my.name": odd, "IFS": "x", "a-b": "1", "_c": odd, "PS1": "$ ", "OPTIND": "7", "UID": "5", "_A": odd}

    def case(box: GateBox) -> None:
        container = {"HOME": odd, "LC_ALL": "C.UTF-8", "PLAIN": odd, "A_B": "1", "__": "2", "_AB": "3"}
        words = [word for name, value in given.items() for word in ("e", f"{name}={value}")]
        python = sys.executable
        with box.start(
            "w",
            "/tmp/there",
            *words,
            *gate(on_exit="advance"),
            "--",
            python,
            "-I",
            "-S",
            "-c",
            show,
            odd,
            "-n",
            "",
            env=container,
        ) as step:
            done = step.end()
        assert done.code == 0, done.err
        arguments, env, folder, stdin = json.loads(done.out)
        assert (arguments, folder, stdin) == ([odd, "-n", ""], "/tmp/there", "")
        assert {name: env.get(name) for name in {**container, **given}} == {**container, **given}
        assert "kade2kfp: waiting for a person\n" in done.err
        assert "to\0err" in done.err

    boxes(case)


def stopped(step: Running, order: str) -> None:
    """Sends the signal; the state is written without waiting for anything.

    KFP's stop leaves 0.75 s, which is much; but how long a few processes take on a busy machine says nothing. So all
    that the step could wait for takes longer here: the pause between two looks, the command, its time of grace, programs.
    """
    step.order(order)
    step.until(lambda: step.state() == "terminated", "the state is not written", 8)


@pytest.mark.parametrize("order", ["step TERM", "step INT", "step HUP", "group TERM"])
@pytest.mark.parametrize("on_exit", ["wait", "fail"])
def test_a_signal_while_it_is_open(boxes: Boxes, order: str, on_exit: str) -> None:
    def case(box: GateBox) -> None:
        script = 'trap "cat /kade/run/state; exit 0" TERM; echo; sleep 600 & while :; do wait; done'
        with box.start(*gate(on_exit=on_exit, values={"lr": "1"}), "--", "sh", "-c", script, look=600) as step:
            step.opened()
            step.until(lambda: read(box.folder / "out"), "the command does not run")
            stopped(step, order)
            done = step.end()
        assert (done.code, done.state, done.left, done.put) == (143, "terminated", [], {})
        # The state comes first. (A signal to the group reaches the command by itself.)
        assert done.out.startswith(b"\nterminated\n" if order != "group TERM" else (b"\nterminated\n", b"\nopen\n"))
        assert done.own == ["waiting for a person"]

    boxes(case, SOME)


def test_a_signal_while_it_opens(boxes: Boxes) -> None:
    """Once the command runs, the step waits for no program in the foreground, where bash may lose a SIGINT."""
    slow = """#!/bin/sh
        [ ! -e /box/called ] || until [ -e /box/stopped ]; do sleep 0.1; done
        : >/box/called
        exec /usr/bin/expr "$@"
    """

    def case(box: GateBox) -> None:
        (box.folder / "quick/expr").write_text(slow)
        (box.folder / "quick/expr").chmod(0o755)
        with box.start(*gate(), "--", "sh", "-c", "echo; exec sleep 600") as step:
            step.until(lambda: read(box.folder / "out"), "the command does not run")
            stopped(step, "step INT")
            (box.folder / "stopped").touch()
            done = step.end()
        assert (done.code, done.left) == (143, [])

    boxes(case, SOME)


def test_a_signal_without_a_command_and_after_its_end(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        command = ["true"] if box.user else []
        with box.start(*gate(), "--", *command) as step:
            step.said("ended by itself" if command else "waiting")
            stopped(step, "step TERM")
            done = step.end()
        assert (done.code, done.left) == (143, [])

    boxes(case, EVERY)


def test_a_signal_while_packages_are_installed(boxes: Boxes) -> None:
    fake = "#!/bin/sh\ncase $* in *install*) echo >/box/ready; sleep 600;; esac\n"

    def case(box: GateBox) -> None:
        (box.folder / "python3").write_text(fake)
        (box.folder / "python3").chmod(0o755)
        tools = "/usr/bin:/bin"
        with box.start("q", "numpy", *gate(), "--", "true", env={"PATH": f"/box:{tools}"}) as step:
            step.until((box.folder / "ready").exists, "pip does not run")
            stopped(step, "step TERM")
            done = step.end()
        assert (done.code, done.left, done.own) == (143, [], [])

    boxes(case, SOME)


@pytest.mark.parametrize("word", ["resume", "reject"])
def test_a_signal_while_the_command_is_being_ended(boxes: Boxes, word: str) -> None:
    def case(box: GateBox) -> None:
        script = 'trap "echo told" TERM; echo; while [ ! -e /box/go ]; do sleep 0.05; done'
        with box.start(*gate(), "--", "sh", "-c", script) as step:
            step.until(lambda: read(box.folder / "out"), "the command does not run")
            step.decide("c", word)
            step.until(lambda: "told" in read(box.folder / "out"), "not told")
            stopped(step, "step TERM")
            step.order("step TERM")
            (box.folder / "go").touch()
            done = step.end()
        assert (done.code, done.state, done.left, done.put) == (143, "terminated", [], {})

    boxes(case, SOME)


def test_a_signal_at_any_moment_ends_it(boxes: Boxes) -> None:
    """Early ones come before the script has begun to listen, and end the shell itself."""

    def case(box: GateBox) -> None:
        for number in range(5):
            inner = new_box(box.folder / str(number), box.shell, box.user)
            with inner.start(*gate(), "--", "sleep", "600") as step:
                time.sleep(0.1 + number * 0.008)
                step.order("step TERM")
                done = step.end()
            assert (done.code in (143, -15), done.left) == (True, []), number
            assert (done.code == 143) == (done.state == "terminated"), number

    boxes(case, SOME)


def test_a_decision_before_the_start_ends_a_command_that_has_just_begun(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.decide()
        with box.start(*gate(), "--", "sleep", "600") as step:
            begin = time.monotonic()
            done = step.end()
        assert (done.code, done.left) == (0, [])
        # Not only after the time of grace: its end was asked for, not forced.
        assert time.monotonic() - begin < 8

    boxes(case)


def test_no_zombies_while_it_waits(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sh", "-c", "sleep 0.1 & exec sleep 0.2", quick=False) as step:
            step.said("ended by itself")
            time.sleep(2.5)
            launcher = [child for pid in below(step.process.pid) for child in children(pid)]
            states = [read(Path("/proc", str(pid), "stat")).rpartition(")")[2].split()[:1] for pid in launcher]
            assert ["Z"] not in states, states
            step.decide()
            assert step.end().left == []

    boxes(case, SOME)


def below(pid: int) -> list[int]:
    """A process and all that come from it."""
    return [pid, *(deeper for child in children(pid) for deeper in below(child))]


def test_bubblewrap_ends_with_the_test(boxes: Boxes) -> None:
    """The helper itself: leaving `start` early leaves nothing on this machine."""
    seen: list[int] = []

    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sleep", "600") as step:
            step.opened()
            seen.extend(below(step.process.pid))

    boxes(case, SOME[:1])
    time.sleep(0.1)
    assert [pid for pid in seen if os.path.exists(f"/proc/{pid}")] == []
