"""A notebook's server, its token, and what is told of a shell in the step."""

from __future__ import annotations

import re
from pathlib import Path

from .gate_box import SOME, Boxes, GateBox, Running, boxes, gate, read

__all__ = ["boxes"]


def server(box: GateBox, name: str) -> None:
    """A program of that name in the image, which tells its words."""
    (box.folder / name).write_text('#!/bin/sh\necho "${0##*/}" "$@"\nexec sleep 600\n')
    (box.folder / name).chmod(0o755)


def token(step: Running) -> str:
    file = step.run / "token"
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text()


PATH = {"PATH": "/box:/usr/bin:/bin"}


def test_the_first_server_that_is_there_is_started_with_the_options(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        server(box, "jupyter-notebook")
        if box.user == 0:
            server(box, "jupyter-lab")
        with box.start(*gate(), "J", "server", "--", "--port=8888", "--a b", env=PATH) as step:
            step.opened()
            step.until(lambda: read(box.folder / "out"), "no server")
            secret = token(step)
            assert re.fullmatch("[0-9a-f]{48}", secret)
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                assert secret not in read(process)
            step.decide()
            done = step.end()
        name = "jupyter-lab" if box.user == 0 else "jupyter-notebook"
        assert (done.code, done.out.decode(), done.left) == (0, f"{name} --port=8888 --a b\n", [])
        assert secret not in done.err

    boxes(case, SOME)


def test_without_a_server_the_gate_does_not_open(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(on_exit="wait"), "J", "server", "--", "--port=8888") as step:
            done = step.end()
        assert (done.code, done.state, done.left) == (64, "", [])
        assert len(done.own) == 1
        assert "no jupyter-lab" in done.own[0]

    boxes(case, SOME)


def test_an_own_command_has_a_token_of_its_own(boxes: Boxes) -> None:
    secrets = []

    def case(box: GateBox) -> None:
        with box.start(*gate(), "J", "own", "--", "sleep", "600") as step:
            step.opened()
            secrets.append(token(step))

    boxes(case, SOME)
    assert len(set(secrets)) == len(SOME)


def test_where_sshd_cannot_serve_the_reason_is_told_and_the_gate_is_open(boxes: Boxes) -> None:
    def case(box: GateBox) -> None:
        with box.start(*gate(), "+", "/box/keys", "S", "2222", "--", "sleep", "600") as step:
            step.until(lambda: read(step.run / "shell"), "nothing is told")
            told = read(step.run / "shell")
            assert re.match(r"exec \w.+\n$", told) or re.fullmatch(r"ssh \S+ 2222\n", told)
            assert box.user or "root" in told or "no sshd" in told
            step.decide()
            done = step.end()
        assert (done.code, done.left) == (0, [])

    boxes(case, SOME)
