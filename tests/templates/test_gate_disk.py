"""A gate where nothing can be written: full disks, read-only folders, folders that are not mounted."""

from __future__ import annotations

import os

from .gate_box import SOME, Boxes, GateBox, boxes, gate

__all__ = ["boxes"]

LONG = "x" * 100_000


def small(size: int, path: str = "/kade/run") -> tuple[str, ...]:
    """bubblewrap's words for a file system of so many bytes."""
    return ("--size", str(size), "--tmpfs", path)


# Tells the files of /kade/run, which this machine does not see when it is a file system of the box: for ever.
SHOW = "echo; while sleep 0.1; do cat /kade/run/state >/box/state; ls -A /kade/run/out >/box/outs; done"


def test_a_value_that_has_no_room_keeps_the_gate_open_until_it_has(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(values={"a": None, "b": None}), "--", "sh", "-c", SHOW, more=small(65536)) as step:
            step.said("waiting")
            step.decide(values={"a": "1", "b": LONG})
            step.said("cannot keep the value b: is /kade/run full?")
            step.until(lambda: (box.folder / "state").read_text() == "open\n", "not open")
            step.until(lambda: "value-b" not in (box.folder / "outs").read_text(), "half a value is left")
            step.decide(values={"a": "2", "b": "small"})
            done = step.end()
        assert (done.code, done.left) == (0, [])
        assert done.put == {"decision": "resume", "by": "ann", "a": "2", "b": "small"}
        assert len(done.own) == 3

    boxes(case, SOME)


FILL = "dd if=/dev/zero of=/kade/run/junk bs=4096 2>/dev/null; i=0; while [ $i -lt 9 ]; do echo x >/kade/run/j$i; i=$((i+1)); done; "


def test_the_state_is_told_when_the_command_has_filled_the_disk(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sh", "-c", f"( {FILL} ) 2>/dev/null; {SHOW}", more=small(65536)) as step:
            step.until((box.folder / "outs").exists, "the command does not run")
            assert (box.folder / "state").read_text() == "open\n"
            step.decide("c", "resume", by="ann")
            done = step.end()
        assert (done.code, done.put, done.left) == (0, {"decision": "resume", "by": "ann"}, [])
        assert done.own == ["waiting for a person", "resumed by ann"]

    boxes(case, SOME)


def test_a_stop_is_told_when_the_command_has_filled_the_disk(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        script = f"""trap 'sleep 0.4; cat /kade/run/state >/box/state; exit' TERM; ( {FILL} ) 2>/dev/null
            echo; while sleep 0.1; do :; done"""
        with box.start(*gate(), "--", "sh", "-c", script, more=small(65536)) as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.order("step TERM")
            done = step.end()
        assert (done.code, done.left) == (143, [])
        assert (box.folder / "state").read_text() == "terminated\n"

    boxes(case, SOME)


def test_a_disk_that_is_full_from_the_start(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "--", "sh", "-c", "echo ran; exec sleep 600", more=small(4096)) as step:
            done = step.end()
        assert (done.code, done.out, done.left) == (64, b"", [])
        assert done.own == ["/kade/run is full"]

    boxes(case, SOME)


def test_no_room_where_the_outputs_go(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        words = ("+", "string\nlog\n/full/log", "r", "/tmp/log", *gate())
        script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done >/tmp/log; echo; exec sleep 600"
        with box.start(*words, "--", "sh", "-c", script, more=small(4096, "/full")) as step:
            step.until(lambda: (box.folder / "out").read_bytes(), "the command does not run")
            step.decide()
            done = step.end()
        assert (done.code, done.left) == (64, [])
        assert done.own[1] == "resumed by ann"
        assert done.own[2].startswith("cannot write /full/log as user ")

    boxes(case, SOME)


def test_folders_that_can_only_be_read(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        box.write("s", "by", "bob")
        read_only = ("--ro-bind", str(box.folder / "shared"), "/kade/shared")
        with box.start(*gate(), "--", "sleep", "600", more=read_only) as step:
            step.opened()
            step.decide("s", by=None)
            done = step.end()
        assert (done.code, done.put["by"], done.left) == (0, "bob (unverified)", [])
        assert len(done.own) == 2

    boxes(case, SOME)


def test_a_run_folder_that_can_only_be_read(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        read_only = ("--ro-bind", str(box.folder / "run"), "/kade/run")
        with box.start(*gate(), "--", "sh", "-c", "echo ran", more=read_only) as step:
            done = step.end()
        assert (done.code, done.out, done.left) == (64, b"", [])
        assert "cannot write /kade/run/out" in done.own[0]

    boxes(case, SOME)


def test_folders_that_nobody_may_enter(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        closed = [word for way in ("gate", "shared") for word in ("--perms", "0000", "--tmpfs", f"/kade/{way}")]
        with box.start(*gate(), "--", "sleep", "600", more=closed) as step:
            step.opened()
            step.looks()
            step.decide("l")
            done = step.end()
        assert (done.code, done.put["by"], len(done.own)) == (0, "ann (unverified)", 2)

    boxes(case, SOME)


def test_without_its_folder_nothing_is_begun(boxes: Boxes) -> None:
    """What is no container of ours has no such folder: there, ending all processes would be a disaster."""
    assert not os.path.exists("/kade/run")

    def case(box: GateBox) -> None:
        bare = ("--tmpfs", "/kade")
        with box.start(*gate(), "--", "sh", "-c", "echo ran", beside=["sleep", "500"], more=bare) as step:
            done = step.end()
        assert (done.code, done.out) == (64, b"")
        assert done.own == ["/kade/run is not mounted"]
        assert [line for line in done.left if "sleep" in line], "it has ended what is not its own"

    boxes(case, SOME)
