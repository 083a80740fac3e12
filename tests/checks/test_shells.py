"""What looks like a shell's, and is none, and the other way round: K218, K223, K228, K229 say nothing of what is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kade2kfp import api


def codes(**fields: Any) -> list[str]:
    """The codes of a job with these fields and the variable A."""
    task = {"id": "a", "type": "job", "image": "busybox:1", "env": [{"name": "A", "value": "1"}]} | fields
    document = {"apiVersion": "kade2kfp/v1", "name": "p", "tasks": [task]}
    return [one.code for one in api.validate(api.parse(json.dumps(document), "p.json")).diagnostics]


@pytest.mark.parametrize(
    "words",
    [
        ["sh", "-c", "echo $A && ls"],
        ["/bin/bash", "-euc", "echo $A"],
        ["/usr/bin/env", "bash", "-c", "echo $A", "&&"],
        ["tini", "--", "bash", "-c", "echo $A"],
        ["timeout", "60", "sh", "-c", "echo $A"],
        ["busybox", "sh", "-ec", "echo $A"],
        ["conda", "run", "-n", "x", "bash", "-lc", "echo $A"],
        ["pwsh", "-Command", "echo $A"],
        ["find", "/in", "-exec", "cat", "{}", ";"],
        ["python", "-m", "split", "--sep", "|"],
        ["echo", "$B", "$5", "$$A", "a$", "US$"],
    ],
    ids=" ".join,
)
def test_commands_that_are_right(words: list[str]) -> None:
    assert codes(command=words) == []
    assert codes(command=words[:-1], args=words[-1:]) == []


@pytest.mark.parametrize(
    "words",
    [
        ["python", "x.py", "$A"],
        ["python", "x.py", "--rate=$(A)"],
        ["python", "x.py", "$HOME/data"],
        ["python", "-m", "pip", "install", "x", "&&", "ls"],
        ["ls", "-l", "&&", "ls"],
        ["echo", "bash", "$A"],
        ["cat", "/a", ">", "/b"],
        ["find", "/in", ";"],
    ],
    ids=" ".join,
)
def test_commands_that_no_shell_reads(words: list[str]) -> None:
    assert codes(command=words) == ["K228"]


@pytest.mark.parametrize("amount", ["20480", "89424", "20k"])
def test_devices_may_be_counted_by_their_memory(amount: str) -> None:
    assert codes(script="x", resources={"limits": {"volcano.sh/gpu-memory": amount}}) == []


@pytest.mark.parametrize("amount", ["1Gi", "1G", "512Mi"])
def test_devices_have_no_unit_of_bytes(amount: str) -> None:
    assert codes(script="x", resources={"limits": {"nvidia.com/gpu": amount}}) == ["K223"]


@pytest.mark.parametrize("user", ["u:$(PW)", "u:${PW}", "u:$PASSWORD"])
def test_a_variable_is_no_password(user: str) -> None:
    assert codes(script=f"psql postgres://{user}@h/db") == []
    assert codes(script="x", env=[{"name": "DB", "value": f"postgres://{user}@h/db"}]) == []


@pytest.mark.parametrize("user", ["u:$ecret123", "u:hunter2"])
def test_a_password_may_begin_like_a_variable(user: str) -> None:
    assert codes(script="x", env=[{"name": "DB", "value": f"postgres://{user}@h/db"}]) == ["K218"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"command": ["python", "/code/a"]}, False),
        ({"script": "python3 /code/a"}, False),
        ({"command": ["/code/a"]}, True),
        ({"script": "set -x\nexec /code/a --x"}, True),
        ({"script": "cd /code && /code/a"}, True),
    ],
)
def test_only_who_starts_a_file_by_its_first_line_trips_over_its_end(fields: dict[str, Any], told: bool) -> None:
    file = {"path": "/code/a", "content": "#!/usr/bin/env python3\r\nprint(1)\r\n"}
    assert codes(**fields, files=[file]) == (["K229"] if told else [])


@pytest.mark.parametrize("name", ["run.sh", "run.bash"])
def test_files_of_shells_need_their_line_ends(name: str) -> None:
    assert codes(script="x", files=[{"path": f"/code/{name}", "content": "echo\r\nls\r\n"}]) == ["K229"]


@pytest.mark.parametrize("words", [["env", "sh", "-c"], ["sh", "-c"]], ids=" ".join)
def test_a_shells_arguments_are_scripts_too(words: list[str]) -> None:
    assert codes(command=words, args=["echo\r\nls\r\n"]) == ["K229"]
