"""What the tests of a KFP's user share: documents, a target that waits for nobody, the command line in this process."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kfp_server.proxy import Proxy

from kade2kfp import cli
from kade2kfp.api import compile, parse
from kade2kfp.cluster.kfp.upload import Submission
from kade2kfp.cluster.kfp.where import Target

SECRET = "sekret-t0ken-92f1"
HELLO: dict[str, Any] = {
    "apiVersion": "kade2kfp/v1",
    "name": "Hello there",
    "parameters": [
        {"name": "who", "type": "string", "default": "world", "enum": ["world", "you"]},
        {"name": "count", "type": "integer", "default": 1, "minimum": 1, "maximum": 5},
        {"name": "code", "type": "string", "default": "a1", "pattern": "^[a-z][0-9]$"},
        {"name": "need", "type": "number"},
    ],
    "tasks": [
        {
            "id": "greet",
            "type": "job",
            "image": "busybox:1.36",
            "command": ["echo", "{{params.who}} {{params.count}} {{params.code}} {{params.need}}"],
        }
    ],
}
SMALL = HELLO | {"parameters": [], "tasks": [HELLO["tasks"][0] | {"command": ["echo", "hello"]}]}


@dataclass(frozen=True)
class Ran:
    """What a command line came to. `err` is on one line, so that sentences are found in it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(captured: pytest.CaptureFixture[bytes], *words: str) -> Ran:
    """Run it, as the shell's command does, but in this process."""
    captured.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    out, err = captured.readouterr()
    text = err.decode()
    assert "Traceback" not in text
    assert SECRET not in text + out.decode()
    return Ran(int(ended.value.code or 0), out.decode(), " ".join(text.split()))


def write(folder: Path, document: dict[str, Any], name: str = "pipeline.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document, indent=1))
    return path


def quick(url: str, **more: Any) -> Target:
    """A target that is asked again at once."""
    return Target(url, **{"pause": 0.01, "connect": 5.0, "read": 5.0, "ui": url} | more)


def submission(document: dict[str, Any] = SMALL, **more: Any) -> Submission:
    return Submission("hello-there", "Hello there", compiled(json.dumps(document)), **more)


@cache
def compiled(document: str) -> str:
    """KFP's SDK compiles one at a time."""
    ir = compile(parse(document)).yaml
    assert ir is not None
    return ir


def passed(proxy: Proxy, least: int, part: str = "") -> int:
    """How many such requests came to the proxy; it notes each a moment after it has answered."""
    until = time.monotonic() + 5
    while (count := sum(part in one.asked for one in list(proxy.passed))) < least and time.monotonic() < until:
        time.sleep(0.01)
    return count
