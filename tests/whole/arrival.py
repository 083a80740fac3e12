"""What reaches a container: the words of a compiled step after Argo, KFP and Kubernetes have handled them.

Argo: util/template (4.0). KFP: backend/src/v2/driver and component/launcher_v2.go (2.17). Kubernetes:
third_party/forked/golang/expansion/expand.go, once for the driver's pod and once for the step's.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ARGO = {"{{workflow.uid}}": "8c1f5c1e-3f0a-4b8e-9a55-0123456789ab", "{{workflow.name}}": "a-run-x7x7x"}
# In the driver's pod and in the step's; all that hostile texts of the tests name would be found.
VARIABLES = {"HOME": "/wrong", "PATH": "/wrong", "KFP_POD_NAME": "wrong", "A": "wrong"}
DUMP = """import os, sys
words = [os.fsencode(word).hex() for word in sys.argv[2:]]
env = {name.hex(): value.hex() for name, value in os.environb.items()}
with open(sys.argv[1], "w") as file:
    print([words, env], file=file)
"""


@dataclass(frozen=True)
class Arrived:
    """What the user's process was given, as bytes."""

    words: list[bytes]
    env: dict[bytes, bytes]


def expand(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' expansion: `$$` is `$`, `$(NAME)` the value where there is one; anything else stays."""
    out, at = "", 0
    while (dollar := text.find("$", at)) >= 0 and dollar + 1 < len(text):
        out += text[at:dollar]
        follows = text[dollar + 1]
        at = dollar + 2
        if follows == "$":
            out += "$"
        elif follows == "(" and (close := text.find(")", at)) >= 0:
            name = text[at:close]
            out += known.get(name, f"$({name})")
            at = close + 1
        else:
            out += "$" + follows
    return out + text[at:]


def through_argo(text: str) -> str:
    """Fails on whatever Argo could take for its own, but for the two that kade2kfp means."""
    for ours, value in ARGO.items():
        text = text.replace(ours, value)
    assert not re.search(r"\{\{(?!\$\.)", text), f"for Argo or KFP: {text[:300]!r}"
    return text


def through_kubernetes(text: str) -> str:
    """Both expansions."""
    return expand(expand(text, VARIABLES), VARIABLES)


@functools.lru_cache(2)  # one pipeline is run with several parameters
def _spec(compiled: str) -> Any:
    return next(iter(yaml.load_all(compiled, yaml.CSafeLoader)))


def run(compiled: str, step: str, root: Path, **parameters: Any) -> subprocess.CompletedProcess[bytes]:
    """Start a step as its container would be; KFP's own paths lie below `root`."""
    spec = _spec(compiled)
    task = spec["root"]["dag"]["tasks"][step]
    component = spec["components"][task["componentRef"]["name"]]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    values = {}
    for name, source in task.get("inputs", {}).get("parameters", {}).items():
        value = source.get("runtimeValue", {}).get("constant", parameters.get(source.get("componentInputParameter")))
        values[f"{{{{$.inputs.parameters['{name}']}}}}"] = value if isinstance(value, str) else json.dumps(value)
    for name in component.get("outputDefinitions", {}).get("parameters", {}):
        values[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = str(root / "kfp" / name)
    words = [through_kubernetes(through_argo(word)) for word in (*container["command"], *container.get("args", []))]
    for placeholder, value in values.items():
        words = [word.replace(placeholder, value) for word in words]
    env = {one["name"]: through_kubernetes(through_argo(one.get("value", ""))) for one in container.get("env", [])}
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(root)} | env
    encoded = {os.fsencode(name): value.encode("utf-8", "surrogateescape") for name, value in surroundings.items()}
    return subprocess.run([word.encode() for word in words], env=encoded, cwd=root, capture_output=True, check=False)


def dumping(root: Path) -> list[str]:
    """A command that writes down what it is given: the words that come after."""
    program = root / "dump.py"
    program.write_text(DUMP)
    return [sys.executable, "-S", str(program), str(root / "given")]


def arrived(root: Path) -> Arrived:
    """What the command of `dumping` was given."""
    words, env = ast.literal_eval((root / "given").read_text())
    unhex = bytes.fromhex
    return Arrived([unhex(word) for word in words], {unhex(name): unhex(value) for name, value in env.items()})
