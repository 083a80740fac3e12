"""Pods of a run, and what their labels and annotations say of the steps in them. Others may have written those."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from kade2kfp.cluster.execute import MAIN
from kade2kfp.gates.model import Standing
from kade2kfp.steps.parts import GateValue, Port
from kade2kfp.steps.sources import Type

RUN, STEP, GATE = "pipeline/runid", "kade2kfp/step", "kade2kfp/gate"
_TASK, _PORTS = "kade2kfp/task", "kade2kfp/ports"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_TYPES: dict[str, Type] = {name: name for name in get_args(Type)}


def is_label(text: str) -> bool:
    """Whether a text can be a label's value: if not, no pod has it, and a selector must not contain it."""
    return bool(_NAME.fullmatch(text))


def metadata(pod: Mapping[str, Any], kind: str, key: str) -> str:
    """A pod's label or annotation (`labels`, `annotations`); empty where there is none."""
    value = (_object(pod.get("metadata")).get(kind) or {}).get(key)
    return value if isinstance(value, str) else ""


def field(pod: Mapping[str, Any], key: str) -> str:
    """A text of a pod's metadata: name, uid, creationTimestamp."""
    value = _object(pod.get("metadata")).get(key)
    return value if isinstance(value, str) else ""


def task_of(pod: Mapping[str, Any]) -> str:
    """The id of the task that a pod is for."""
    return metadata(pod, "annotations", _TASK) or metadata(pod, "labels", STEP)


def is_gate(pod: Mapping[str, Any]) -> bool:
    """Whether its step waits for a person, once it runs."""
    return bool(metadata(pod, "labels", GATE))


def state(pod: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What the step's container does, `waiting`, `running` or `terminated`, and what Kubernetes says of that."""
    status = _object(pod.get("status"))
    rows = status.get("containerStatuses")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("name") == MAIN:
            for kind, said in _object(row.get("state")).items():
                return kind, _object(said)
    if status.get("phase") in ("Succeeded", "Failed"):
        return "terminated", {"reason": status.get("reason")}
    return "waiting", {}


def runs(pod: Mapping[str, Any]) -> bool:
    """Whether its step can be reached, and is not about to be ended."""
    return (
        _object(pod.get("status")).get("phase") == "Running"
        and state(pod)[0] == "running"
        and not field(pod, "deletionTimestamp")
    )


def owner(pod: Mapping[str, Any]) -> dict[str, str] | None:
    """The Workflow that a pod belongs to, as an owner reference; None where it has none."""
    owners = _object(pod.get("metadata")).get("ownerReferences")
    for one in owners if isinstance(owners, list) else []:
        if isinstance(one, dict) and one.get("kind") == "Workflow":
            return {key: str(one.get(key)) for key in ("apiVersion", "kind", "name", "uid")}
    return None


def standing(pod: Mapping[str, Any]) -> Standing:
    """What the commands know of a step that runs."""
    said = _said(metadata(pod, "annotations", GATE))
    since = _seconds(state(pod)[1].get("startedAt"))
    timeout = _number(said.get("timeout"))
    values = said.get("values")
    return Standing(
        run=metadata(pod, "labels", RUN),
        step=metadata(pod, "labels", STEP),
        task=task_of(pod),
        display_name=task_of(pod),
        type="notebook" if said.get("notebook") is True else "container",
        pod=field(pod, "uid"),
        since=since,
        waits=is_gate(pod),
        until=since + timeout if timeout else None,
        message=_text(said, "message"),
        on_reject="route" if said.get("onReject") == "route" else "fail",
        values=tuple(filter(None, map(_value, values if isinstance(values, list) else []))),
        ports=tuple(filter(None, map(_port, metadata(pod, "annotations", _PORTS).split(",")))),
        port=_number(said.get("port")) if said.get("notebook") is True else 0,
        start_path=_text(said, "startPath"),
        ssh=_number(said.get("ssh")),
        handle=field(pod, "name"),
    )


def _value(said: object) -> GateValue | None:
    fields = _object(said)
    name, kind = _text(fields, "name"), _TYPES.get(_text(fields, "type"))
    if not _VALUE.fullmatch(name) or kind is None:
        return None
    enum = fields.get("enum")
    return GateValue(
        name=name,
        type=kind,
        required=fields.get("required") is True,
        default=fields.get("default"),
        description=_text(fields, "description"),
        enum=tuple(enum) if isinstance(enum, list) else None,
        minimum=_limit(fields.get("minimum")),
        maximum=_limit(fields.get("maximum")),
        pattern=_text(fields, "pattern") or None,
    )


def _port(text: str) -> Port | None:
    number, _, name = text.strip().partition(":")
    return Port(int(number), name) if number.isdecimal() and 0 < int(number[:6]) < 65536 else None


def _said(text: str) -> dict[str, Any]:
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _limit(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _seconds(time: object) -> float:
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return 0.0
