"""How a gate ends: each row of its table, with its state, exit code, outputs and what is said of it."""

from __future__ import annotations

import pytest

from .gate_box import SOME, Boxes, GateBox, boxes, gate

__all__ = ["boxes"]

SLEEP = ("--", "sleep", "600")


def test_it_opens_with_its_message_and_the_command_runs(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(message="Look at 'it' \\ $HOME *"), "--", "sh", "-c", "echo here; exec sleep 600") as step:
            step.opened()
            step.until(lambda: (box.folder / "out").read_bytes() == b"here\n", "the command does not run")
            assert (step.run / "message").read_text() == "Look at 'it' \\ $HOME *\n"
            step.order("step TERM")
            assert step.end().own == ["waiting for a person: Look at 'it' \\ $HOME *"]

    boxes(case)


def test_a_message_cannot_forge_lines_of_the_log(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(message="one\nkade2kfp: resumed by ann\x1b[31m"), "--") as step:
            step.opened()
            assert (step.run / "message").read_text() == "one\nkade2kfp: resumed by ann\x1b[31m\n"
            step.order("step TERM")
            assert step.end().own == ["waiting for a person: one?kade2kfp: resumed by ann?[31m"]

    boxes(case)


@pytest.mark.parametrize(("way", "by"), [("c", "ann"), ("s", "ann (unverified)"), ("l", "ann (unverified)")])
def test_resume_ends_the_command_and_hands_the_values_on(boxes: Boxes, way: str, by: str) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(values={"lr": None}, types={"lr": "number"}), *SLEEP) as step:
            step.opened()
            step.decide(way, values={"lr": "0.1"})
            done = step.end()
        assert (done.code, done.state, done.left) == (0, "resume", [])
        assert done.put == {"decision": "resume", "by": by, "lr": "0.1"}
        assert done.own == ["waiting for a person", f"resumed by {by}"]

    boxes(case)


def test_a_gate_without_a_command_just_waits(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--") as step:
            step.opened()
            step.looks()
            step.decide()
            done = step.end()
        assert (done.code, done.state, done.left) == (0, "resume", [])
        assert done.own == ["waiting for a person", "resumed by ann"]

    boxes(case)


def test_after_resume_an_output_that_is_missing_fails_the_step(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start("D", "/box/model", *gate(), *SLEEP) as step:
            step.opened()
            step.decide()
            done = step.end()
        assert (done.code, done.own[-1]) == (65, "the command left no file /box/model")

    boxes(case)


def test_what_the_command_writes_when_it_is_told_to_end_counts(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        words = ("D", "/box/model", "+", "integer\nrows\n/box/put/rows", "r", "/tmp/rows", *gate())
        script = (
            'trap "echo 3 >/tmp/rows; sleep 0.3; echo x >/box/model; exit 9" TERM; echo; while :; do sleep 0.05; done'
        )
        with box.start(*words, "--", "sh", "-c", script) as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.decide()
            done = step.end()
        assert (done.code, done.put["rows"], done.left) == (0, "3", [])

    boxes(case)


@pytest.mark.parametrize(("reason", "said"), [("not good", ": not good"), (None, ""), ("", "")])
def test_reject_fails_the_step(boxes: Boxes, reason: str | None, said: str) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(values={"lr": None}), *SLEEP) as step:
            step.opened()
            step.decide("c", "reject", reason=reason)
            done = step.end()
        assert (done.code, done.state, done.left) == (75, "reject", [])
        assert done.own == ["waiting for a person", f"rejected by ann{said}"]

    boxes(case)


ZEROS = {"string": "", "integer": "0", "number": "0", "boolean": "false", "array": "[]", "object": "{}"}


def test_reject_that_is_routed_leaves_what_is_missing_empty(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        words = ["d", "/box/none", "D", "/box/none.txt", "+", "/box/kept/folder", "o", "/box/folder"]
        words += ["+", "/box/kept/file", "p", "/box/file", "+", "integer\nhas\n/box/put/has", "r", "/tmp/has"]
        for kind in ZEROS:
            words += ["+", f"{kind}\n{kind}\n/box/put/{kind}", "r", f"/tmp/missing/{kind}"]
        script = "echo 7 >/tmp/has; echo a >/box/folder/a; echo b >/box/file; echo; exec sleep 600"
        values = {"lr": None, "mode": "fast"}
        gated = gate(on_reject="route", values=values, types={"lr": "number"})
        with box.start(*words, *gated, "--", "sh", "-c", script) as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.decide("c", "reject", reason="no")
            done = step.end()
        assert (done.code, done.state, done.left) == (0, "reject", [])
        assert done.own == ["waiting for a person", "rejected by ann: no"]
        given = {"decision": "reject", "by": "ann", "lr": "0", "mode": "fast"}
        assert done.put == {**ZEROS, "has": "7", **given}
        assert (box.folder / "folder/a").read_text() == "a\n"
        assert (box.folder / "file").read_text() == "b\n"
        assert not (box.folder / "none.txt").exists()

    boxes(case)


def test_reject_that_is_routed_puts_out_metrics_that_are_missing_or_bad(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        words = ("+", "metrics\nuri\n/box/k/metrics", "m", "/tmp/metrics.json", "+", "/box/put/acc", "k", "acc")
        words = (*words, "+", "integer\nrows\n/box/put/rows", "r", "/tmp/rows", *gate(on_reject="route"))
        with box.start(*words, "--", "sh", "-c", "echo many >/tmp/rows; echo; exec sleep 600") as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.decide("c", "reject")
            done = step.end()
        assert (done.code, done.put) == (0, {"decision": "reject", "by": "ann", "acc": "0", "rows": "0"})

    boxes(case)


@pytest.mark.parametrize(
    ("on_timeout", "on_reject", "code", "said"),
    [
        ("reject", "fail", 75, "rejected by timeout"),
        ("reject", "route", 0, "rejected by timeout"),
        ("resume", "fail", 0, "resumed by timeout"),
    ],
)
def test_a_timeout_decides(boxes: Boxes, on_timeout: str, on_reject: str, code: int, said: str) -> None:
    def case(box: GateBox) -> None:
        words = gate(timeout=1, on_timeout=on_timeout, on_reject=on_reject, values={"mode": "a b"})
        with box.start(*words, *SLEEP) as step:
            done = step.end()
        assert (done.code, done.state, done.left) == (code, on_timeout, [])
        assert done.own == ["waiting for a person", "nobody decided in 1 s", said]
        assert done.put == ({} if code else {"decision": on_timeout, "by": "timeout", "mode": "a b"})

    boxes(case)


@pytest.mark.parametrize("code", [0, 3, 126, 127, 137])
def test_the_commands_own_end_changes_nothing_when_a_person_is_waited_for(boxes: Boxes, code: int) -> None:
    def case(box: GateBox) -> None:
        commands = {126: ["/etc/passwd"], 127: ["no-such-program"], 137: ["sh", "-c", "kill -9 $$"]}
        with box.start(*gate(), "--", *commands.get(code, ["sh", "-c", f"exit {code}"])) as step:
            step.said(f"the command ended by itself with code {code}")
            step.looks()
            step.decide()
            done = step.end()
        assert (done.code, done.state, done.left) == (0, "resume", [])
        assert done.own[1:] == [f"the command ended by itself with code {code}", "resumed by ann"]

    boxes(case, SOME)


@pytest.mark.parametrize(
    ("on_exit", "own", "code", "state"),
    [
        ("advance", 0, 0, "exited"),
        ("advance", 3, 3, "failed"),
        ("fail", 3, 3, "failed"),
        ("fail", 0, 76, "failed"),
        ("wait", 64, 64, "failed"),
        ("advance", 64, 64, "failed"),
        ("fail", 64, 64, "failed"),
        ("advance", 137, 137, "failed"),
    ],
)
def test_the_commands_own_end_decides(boxes: Boxes, on_exit: str, own: int, code: int, state: str) -> None:
    def case(box: GateBox) -> None:
        script = f"sleep 600 & {'kill -9 $$' if own == 137 else f'exit {own}'}"
        with box.start(*gate(on_exit=on_exit, values={"lr": "1"}), "--", "sh", "-c", script) as step:
            done = step.end()
        assert (done.code, done.state, done.left) == (code, state, [])
        ended = f"the command ended by itself with code {own}"
        assert done.own[1:] == [ended, *(["resumed by exit"] if state == "exited" else [])]
        assert done.put == ({"decision": "resume", "by": "exit", "lr": "1"} if state == "exited" else {})

    boxes(case, SOME)


def test_no_uid_no_gate(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), *SLEEP, env={"KFP_POD_UID": ""}) as step:
            done = step.end()
        assert (done.code, done.left) == (64, [])
        assert "KFP_POD_UID" in done.own[0]

    boxes(case, SOME)
