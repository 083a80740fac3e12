"""What counts as a decision, which one counts, and which values come with it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.volumes import project

from .gate_box import SOME, STEP, UID, Boxes, GateBox, boxes, gate, new_box
from .step_script import SHELLS, environment

__all__ = ["boxes"]

IGNORED = "a decision that is not whole, or not for this pod, is ignored"
OTHER = UID.replace("5", "6", 1)


@pytest.mark.parametrize(
    ("there", "word", "by"),
    [
        ("csl", "resume", "c"),
        ("cl", "resume", "c"),
        ("sl", "reject", "s (unverified)"),
        ("l", "reject", "l (unverified)"),
    ],
)
def test_of_several_decisions_at_one_look_the_first_way_counts(boxes: Boxes, there: str, word: str, by: str) -> None:
    def case(box: GateBox) -> None:
        for way in there:
            box.decide(way, "resume" if way == "c" else "reject", by=way, values={"lr": way})
        with box.start(*gate(values={"lr": "none"}, on_reject="route"), "--", "sleep", "600") as step:
            done = step.end()
        assert (done.code, done.state, done.left) == (0, word, [])
        assert done.put == {"decision": word, "by": by, "lr": by[0]}

    boxes(case, SOME)


@pytest.mark.parametrize(("ways", "way"), [("cl", "s"), ("c", "l"), ("c", "s"), ("s", "c")])
def test_a_way_that_is_closed_does_not_count(boxes: Boxes, ways: str, way: str) -> None:
    def case(box: GateBox) -> None:
        box.decide(way)
        with box.start(*gate(ways=ways), "--") as step:
            step.opened()
            step.looks()
            step.decide(ways[0], "reject", by="bob")
            assert step.end().own[1:] == [f"rejected by bob{'' if ways[0] == 'c' else ' (unverified)'}"]

    boxes(case, SOME)


def test_a_later_way_that_is_whole_counts_beside_an_earlier_that_is_not(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.write("c", "decision", "resume")
        box.write("s", "decision", b"\x00" * 99)
        box.decide("l", by="bob")
        with box.start(*gate(), "--") as step:
            assert step.end().own == ["waiting for a person", "resumed by bob (unverified)"]

    boxes(case, SOME)


def test_a_decision_counts_only_once_it_is_whole(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--") as step:
            step.opened()
            with open(step.file("l", "decision"), "wb", buffering=0) as file:
                for byte in f"reject {UID}".encode()[:-1]:
                    file.write(bytes([byte]))
                    time.sleep(0.05)
                step.looks(1)
                file.write(UID[-1].encode())
            done = step.end()
        assert (done.code, done.own[-1]) == (75, "rejected by unknown (unverified)")
        assert done.own.count(IGNORED) == 1

    boxes(case, SOME)


def test_the_second_decision_changes_nothing(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        script = 'trap "" TERM; trap "exit" USR1; echo; while [ ! -e /box/go ]; do sleep 0.05; done'
        with box.start(*gate(values={"lr": None}), "--", "sh", "-c", script) as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.decide("l", by="bob", values={"lr": "1"})
            step.until(lambda: step.state() == "resume", "no decision")
            step.decide("c", "reject", by="ann", reason="late", values={"lr": "2"})
            step.decide("l", "reject", by="eve", values={"lr": "3"})
            time.sleep(0.2)
            (box.folder / "go").touch()
            done = step.end()
        assert (done.code, done.state) == (0, "resume")
        assert (done.put["decision"], done.put["lr"]) == ("resume", "1")

    boxes(case, SOME)


def test_who_decided_is_who_wrote_the_decision_that_counted(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        script = 'trap "" TERM; echo; while [ ! -e /box/go ]; do sleep 0.05; done'
        with box.start(*gate(), "--", "sh", "-c", script) as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.decide("l", by="bob")
            step.until(lambda: step.state() == "resume", "no decision")
            step.write("l", "by", "eve")
            time.sleep(0.2)
            (box.folder / "go").touch()
            assert step.end().put["by"] == "bob (unverified)"

    boxes(case, SOME)


def test_a_decision_for_a_predecessor_does_not_count_and_that_is_said_once(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.decide("c", "reject", uid=OTHER)
        with box.start(*gate(), "--", "sleep", "600") as step:
            step.opened()
            step.looks(4)
            step.decide("c", "resume", by="bob")
            done = step.end()
        assert (done.code, done.own) == (0, ["waiting for a person", IGNORED, "resumed by bob"])

    boxes(case)


def test_as_kubelet_projects_a_config_map(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        keys = {"other-2.decision": f"reject {UID}\n", f"{STEP}.decision": f"reject {OTHER}\n"}
        project(box.folder / "gate", keys)
        with box.start(*gate(values={"lr": None}), "--", "sleep", "600") as step:
            step.opened()
            step.looks(1)
            more = {f"{STEP}.by": "ann", f"{STEP}.value-lr": "0.5", f"{STEP}.decision": f"resume {UID}\n"}
            project(box.folder / "gate", {**keys, **more})
            assert step.end().put == {"decision": "resume", "by": "ann", "lr": "0.5"}

    boxes(case)


GARBAGE = {
    "empty": b"",
    "binary": bytes(range(256)) * 8,
    "endless": b"x" * 2**20,
    "zeros": b"\0" * 2**20,
    "no word": UID.encode(),
    "no uid": b"resume ",
    "a line too many": f"resume {UID}\nreject {UID}\n".encode(),
    "other word": f"approve {UID}\n".encode(),
    "glob": b"resume *",
    "a pattern": b"* " + UID.encode(),
    "an option": b"-n\n",
    "longer": f"resume {UID}0\n".encode(),
    "indented": f" resume {UID}\n".encode(),
    "carriage return": f"resume {UID}\r\n".encode(),
    "not text": b"\xff\xfe\x80 \xc3\x28",
    "command": b"`touch /box/hit`$" + b"(touch /box/hit)",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_garbage_is_ignored_and_said_once(shell: str, tmp_path: Path) -> None:
    def case(name: str, content: bytes) -> None:
        box = new_box(tmp_path / name, shell, 1000)
        box.write("l", "decision", content)
        with box.start(*gate(), "--", "sleep", "600") as step:
            step.said(IGNORED)
            step.looks(1)
            step.decide()
            done = step.end()
        assert (done.code, done.own) == (0, ["waiting for a person", IGNORED, "resumed by ann"]), name
        assert done.err.count("\n") == 3, done.err
        assert not (box.folder / "hit").exists()

    environment(shell)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(case, GARBAGE, GARBAGE.values()):
            pass


def test_what_is_no_file_is_ignored(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.file("c", "decision").mkdir()
        os.mkfifo(box.file("s", "decision"))
        box.file("l", "decision").symlink_to("/nowhere")
        with box.start(*gate(), "--", "sleep", "600") as step:
            step.opened()
            step.looks()
            box.file("c", "decision").rmdir()
            step.decide()
            done = step.end()
        assert (done.code, done.left) == (0, [])

    boxes(case)


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "loop"])
def test_values_and_names_that_are_no_files_are_as_if_they_were_not_there(boxes: Boxes, kind: str) -> None:
    def case(box: GateBox) -> None:
        for name in ("by", "reason", "value-lr"):
            file = box.file("s", name)
            match kind:
                case "folder":
                    file.mkdir()
                case "fifo":
                    os.mkfifo(file)
                case "link":
                    file.symlink_to("/nowhere")
                case _:
                    file.symlink_to(name)
        box.decide("s", by=None)
        with box.start(*gate(values={"lr": "0.3"}), "--", "sleep", "600") as step:
            done = step.end()
        assert (done.code, done.put) == (0, {"decision": "resume", "by": "unknown (unverified)", "lr": "0.3"})

    boxes(case, SOME)


def test_a_link_on_a_volume_does_not_take_a_file_of_this_pod_out(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        (box.folder / "secret").write_text("s3cret")
        for way in "sl":
            for name in ("by", "reason", "value-lr"):
                box.file(way, name).symlink_to("/box/secret")
            box.decide(way, "reject", by=None)
        with box.start(*gate(values={"lr": "0.3"}, on_reject="route"), "--", "sleep", "600") as step:
            done = step.end()
        assert (done.code, done.put["lr"]) == (0, "0.3")
        assert "s3cret" not in str(done)

    boxes(case, SOME)


def test_nothing_is_said_when_garbage_goes_away(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.write("l", "decision", "x")
        with box.start(*gate(), "--") as step:
            step.said(IGNORED)
            box.file("l", "decision").unlink()
            step.looks(3)
            box.write("l", "decision", "y")
            step.looks(3)
            step.decide()
            assert step.end().own == ["waiting for a person", IGNORED, "resumed by ann"]

    boxes(case, SOME)


VALUES = {
    "quotes": """it's "so" `id` $HOME ${PATH} \\ \\n %s""",
    "spaces": "  \t before and after \t ",
    "lines": "\n\none\n\n  two\nthree",
    "glob": "*",
    "dash": "-n",
    "empty": "",
    "hangul": "한국어 é 😀",
    "big": "0123456789abcde\n" * 4096 + "end",
}


@pytest.mark.parametrize("way", ["c", "s", "l"])
def test_values_arrive_as_they_are(boxes: Boxes, way: str) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(values=dict.fromkeys(VALUES)), "--", "sleep", "600") as step:
            step.opened()
            step.decide(way, values=VALUES)
            done = step.end()
        assert {name: done.put[name] for name in VALUES} == VALUES

    boxes(case, SOME)


def test_defaults_are_taken_where_nothing_was_given(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        defaults = {**VALUES, "equals": "=a=b", "given": "default"}
        with box.start(*gate(values=defaults), "--", "sleep", "600") as step:
            step.opened()
            step.decide(values={"given": ""})
            done = step.end()
        assert {name: done.put[name] for name in defaults} == {**defaults, "given": ""}

    boxes(case, SOME)


def test_a_decision_without_a_required_value_is_ignored_and_said_once(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(values={"lr": None, "mode": "fast"}), "--", "sleep", "600") as step:
            step.opened()
            step.decide(values={"mode": "slow"})
            step.looks(3)
            step.write("c", "value-lr", "1")
            done = step.end()
        assert done.own == ["waiting for a person", "the decision lacks the value lr", "resumed by ann"]
        assert done.put == {"decision": "resume", "by": "ann", "lr": "1", "mode": "slow"}

    boxes(case)


def test_a_decision_that_lacks_a_value_does_not_hide_a_later_way(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.decide("c", by="ann")
        box.decide("l", by="bob", values={"lr": "2"})
        with box.start(*gate(values={"lr": None}), "--", "sleep", "600") as step:
            assert step.end().put == {"decision": "resume", "by": "bob (unverified)", "lr": "2"}

    boxes(case, SOME)


def test_reject_needs_no_values(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.decide("c", "reject")
        with box.start(*gate(values={"lr": None}, on_reject="route"), "--", "sleep", "600") as step:
            assert step.end().put == {"decision": "reject", "by": "ann", "lr": ""}

    boxes(case, SOME)


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        ("ann\nkade2kfp: forged", "ann"),
        ("", "unknown"),
        ("system:serviceaccount:team-a:default-editor", "system:serviceaccount:team-a:default-editor"),
        ("{{workflow.name}}", "unknown"),
        ("한" * 200, "한" * 100),
    ],
    ids=["two lines", "empty", "account", "braces", "long"],
)
def test_the_name_of_who_decided(boxes: Boxes, by: str, shown: str) -> None:
    def case(box: GateBox) -> None:
        box.write("c", "by", by)
        box.decide(by=None)
        with box.start(*gate(), "--", "sleep", "600") as step:
            done = step.end()
        assert (done.code, done.put["by"], len(done.own)) == (0, shown, 2)

    boxes(case, SOME)


def test_folders_that_come_later_or_never(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sleep", "600") as step:
            step.opened()
            shutil.rmtree(box.folder / "shared", ignore_errors=True)
            step.looks(1)
            step.decide()
            assert step.end().code == 0

    boxes(case, SOME)
