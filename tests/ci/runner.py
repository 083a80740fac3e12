"""The action's steps, carried out as GitHub's runner does: variables from action.yml, files for outputs, commands in the log."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in ACTION["runs"]["steps"] if "run" in step}
_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR", "SSL_CERT_FILE")
_COMMANDS = frozenset(
    ("error", "warning", "notice", "debug", "group", "endgroup", "echo", "add-mask", "add-matcher", "remove-matcher")
) | {"set-output", "save-state", "set-env", "add-path", "stop-commands"}
_UNESCAPED = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


@dataclass(frozen=True)
class Command:
    """What the runner takes for a command to it."""

    name: str
    properties: Mapping[str, str]
    data: str


@dataclass(frozen=True)
class Log:
    """The commands of a log that take effect, and all of its other lines."""

    commands: tuple[Command, ...]
    text: str

    @property
    def annotations(self) -> list[Command]:
        return [one for one in self.commands if one.name in ("error", "warning", "notice")]


@dataclass(frozen=True)
class Done:
    """What a step came to."""

    code: int
    raw: str
    log: Log
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


def parsed(raw: str) -> Log:
    """A log as the runner reads it (ActionCommand.cs, ActionCommandManager.cs): `::name k=v::data` at a line's beginning,
    the older `##[name k=v]data` anywhere in it; between `::stop-commands::TOKEN` and `::TOKEN::` none of them.
    """
    stopped, found, rows = "", [], []
    for row in re.split(r"\r\n|\r|\n", raw):
        command = _command(row, {stopped} if stopped else _COMMANDS)
        if command is None:
            rows.append(row)
        elif stopped:
            stopped = ""
        elif command.name == "stop-commands":
            stopped = command.data
        else:
            found.append(command)
    assert not stopped, "commands stay switched off"
    return Log(tuple(found), "\n".join(rows))


def _command(row: str, names: set[str] | frozenset[str]) -> Command | None:
    begun = re.match(r"\s*::(?P<info>.*?)::(?P<data>.*)", row, re.DOTALL)
    if begun and begun["info"].partition(" ")[0] in names:
        return _made(begun["info"], ",", begun["data"])
    old = re.search(r"##\[(?P<info>[^\]]*)\](?P<data>.*)", row)
    if old and old["info"].partition(" ")[0] in names:
        return _made(old["info"], ";", old["data"])
    return None


def _made(info: str, between: str, data: str) -> Command:
    name, _, rest = info.partition(" ")
    pairs = (pair.partition("=") for pair in rest.strip().split(between) if "=" in pair)
    return Command(name, {key: _plain(value) for key, _, value in pairs}, _plain(data))


def _plain(text: str) -> str:
    for escaped, char in _UNESCAPED.items():
        text = text.replace(escaped, char)
    return text


def step(
    id_: str, workspace: Path, github: Mapping[str, str], inputs: Mapping[str, str], more: Mapping[str, str], **how: Any
) -> Done:
    """Run a step of the action. `github` are variables without their GITHUB_, `more` those of the job."""
    one = STEPS[id_]
    beside = workspace.parent / "runner"
    beside.mkdir(exist_ok=True)
    output, summary = beside / "output", beside / "summary"
    output.write_text("")
    summary.write_text("")
    known = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()}
    assert set(inputs) <= set(known)
    known |= inputs
    values = {f"inputs.{name}": value for name, value in known.items()}
    values["steps.install.outputs.kade2kfp"] = str(program(beside))
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env |= {f"GITHUB_{name}": value for name, value in github.items()} | {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
        "RUNNER_TEMP": str(beside),
    }
    env |= more
    env |= {name: _filled(value, values) for name, value in one["env"].items()}
    folder = workspace / _filled(one.get("working-directory", "."), values)
    # How the runner calls a `shell: bash`.
    script = beside / "step.sh"
    script.write_text(one["run"])
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        check=False,
        **how,
    )
    raw = ran.stdout.decode("utf-8", "replace")
    assert "Traceback" not in raw
    return Done(ran.returncode, raw, parsed(raw), _outputs(output.read_text()), summary.read_text())


def program(folder: Path) -> Path:
    """kade2kfp as a program, as the step `install` leaves one."""
    path = folder / "kade2kfp-program"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kade2kfp "$@"\n')
    path.chmod(0o755)
    return path


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ *([a-z0-9.-]+) *\}\}", lambda match: values[match[1]], text)


def _outputs(text: str) -> dict[str, str]:
    """A file of outputs: `NAME=VALUE`, or `NAME<<WORD`, lines, `WORD`."""
    found, rows = {}, iter(text.splitlines())
    for row in rows:
        name, between, rest = re.fullmatch(r"([^=<]+)(=|<<)(.*)", row).groups()
        found[name] = rest if between == "=" else "\n".join(iter(lambda end=rest: _until(rows, end), None))
    return found


def _until(rows: Any, end: str) -> str | None:
    row = next(rows)
    return None if row == end else row
