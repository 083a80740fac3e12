"""What a task that waits for a person adds to its step: the gate, what it looks at, and what its answer becomes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.shared import CommandTask, Gate
from kade2kfp.document.types import MAX_SECONDS, duration_seconds
from kade2kfp.steps import model as steps
from kade2kfp.steps import parts
from kade2kfp.steps.frame import Frame
from kade2kfp.steps.sources import RunInfo, Type, literal

GATE, SHARED, RUN = "/kade/gate", "/kade/shared", "/kade/run"
"""Where templates/gate.sh looks for a decision; it writes into the last."""
TOLD = "kade2kfp/gate"
"""The annotation that tells the commands of a gate."""
_RUN_SIZE = "16Mi"
# Time for the image to come and for the packages to be installed: the pod's own end must come after the gate's.
_SPARE = 3600
# What Argo or Kubernetes would replace in an annotation; in JSON it stands only within texts.
_REPLACED = re.compile(r"\{(?=\{)|\$(?=[$(])")


def gated(task: CommandTask, gate: Gate, step: steps.Step, frame: Frame) -> steps.Step:
    """The step of a container or notebook with its gate."""
    claim = next((mount.claim for mount in step.mounts if isinstance(mount, parts.ClaimMount)), None)
    values = tuple(
        parts.GateValue(
            one.name,
            one.type,
            not one.given("default"),
            one.default,
            one.description or "",
            tuple(one.enum) if one.enum is not None else None,
            one.minimum,
            one.maximum,
            one.pattern,
        )
        for one in gate.values or ()
    )
    made = parts.Gate(
        seconds(frame, gate.place("timeout"), gate.timeout),
        gate.on_timeout or "reject",
        gate.on_exit or "wait",
        gate.on_reject or "fail",
        frame.text(gate.place("message"), gate.message),
        values,
        "csl" if claim is not None else "cl",
    )
    if claim is not None:
        shared = parts.ClaimMount(claim, SHARED, f".gates/{step.name}", in_run=True, read_only=True)
        step = replace(step, mounts=(*step.mounts, shared))
    waiting = waits(step, made)
    return replace(waiting, timeout=step.timeout) if task.timeout else waiting


def seconds(frame: Frame, at: Pointer, duration: str | None) -> int:
    """A duration of the document in seconds; 0 where there is none."""
    return duration_seconds(frame.compile_text(at, duration)) or 0 if duration else 0


def waits(step: steps.Step, gate: parts.Gate) -> steps.Step:
    """The step with a gate, what the gate looks at, and the outputs that its answer becomes.

    KFP's backend puts the run's id in where it is the whole name of a config map (backend/src/v2/driver/resolve.go), and
    Kubernetes brings a config map that is optional into a pod that runs already.
    """
    answers: list[tuple[str, Type]] = [
        ("decision", "string"),
        ("by", "string"),
        *((f"value-{one.name}", one.type) for one in gate.values),
    ]
    return replace(
        step,
        gate=gate,
        mounts=(
            *step.mounts,
            parts.SecretMount("configMap", (RunInfo("id"),), GATE, optional=True),
            parts.EmptyDirMount(RUN, "Memory", _RUN_SIZE),
        ),
        parameters=(
            *step.parameters,
            *(parts.ParameterOutput(name, f"{RUN}/out/{name}", type_) for name, type_ in answers),
        ),
        labels=(*step.labels, ("kade2kfp/gate", step.task.strip("-_."))),
        annotations=(
            *step.annotations,
            ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
            ("kade2kfp/task", step.task),
            (TOLD, _described(gate, step)),
        ),
        retry=None,
        timeout=min(gate.timeout + _SPARE, MAX_SECONDS),
    )


def _described(gate: parts.Gate, step: steps.Step) -> str:
    """What the commands show of a gate on a cluster, where they have nothing but its pod: JSON."""
    about: dict[str, Any] = {
        "timeout": gate.timeout,
        "onTimeout": gate.on_timeout,
        "onReject": gate.on_reject,
        "values": [_value(one) for one in gate.values],
    }
    message = literal(gate.message)
    if message:
        about["message"] = message
    if step.jupyter:
        about |= {"notebook": True, "port": step.jupyter.port, "startPath": step.jupyter.start_path}
    if step.ssh:
        about["ssh"] = step.ssh.port
    text = json.dumps(about, separators=(",", ":"), sort_keys=True)
    return _REPLACED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _value(value: parts.GateValue) -> dict[str, Any]:
    fields = {
        "name": value.name,
        "type": value.type,
        "required": value.required,
        "default": value.default,
        "description": value.description or None,
        "enum": list(value.enum) if value.enum is not None else None,
        "minimum": value.minimum,
        "maximum": value.maximum,
        "pattern": value.pattern,
    }
    return {name: one for name, one in fields.items() if one is not None}
