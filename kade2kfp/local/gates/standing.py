"""A step that can be reached while it runs: what its box gets for that, and what the run's folder tells the commands.

```
RUN/gates/STEP/       the folder that stands for the run's ConfigMap: names as there, which lead into ..data, as kubelet's do
RUN/gates/STEP.json   the Standing of the attempt that runs; gone when it has ended
```
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kade2kfp.gates.model import Standing
from kade2kfp.local.folder import safe_name
from kade2kfp.local.trees import remove
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import GateValue, Port

DATA = "..data"
"""The folder with a decision; all of it is there at once, or nothing."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an attempt of a step gets so that it can be reached.

    `pod` is its uid; `folder` is bound at /kade/gate; `ports` are those of this machine by the step's own: the network is
    the machine's, where another may have them.
    """

    pod: str
    folder: Path
    ports: Mapping[int, int] = field(default_factory=dict)


def reachable(step: Step) -> bool:
    """Whether somebody may want to reach the step while it runs."""
    return bool(step.gate or step.ports)


def opening(step: Step, run: Path) -> Opening:
    """A new opening for an attempt, with an empty folder. Raises OSError."""
    folder = gate_folder(run, step.name)
    # What was said to an earlier attempt.
    remove(folder)
    folder.mkdir(parents=True)
    values = [f"value-{one.name}" for one in step.gate.values] if step.gate else []
    for name in ("decision", "by", "reason", *values):
        (folder / f"{step.name}.{name}").symlink_to(f"{DATA}/{name}")
    wanted = [step.jupyter.port] if step.jupyter else []
    wanted += [step.ssh.port] if step.ssh else []
    with ExitStack() as sockets:
        free = {port: _free(sockets) for port in wanted}
    return Opening(str(uuid.uuid4()), folder, free)


def _free(sockets: ExitStack) -> int:
    """A free port of the loopback; all sockets stay open until every port is chosen, so that none comes twice."""
    made = sockets.enter_context(socket.socket())
    made.bind(("127.0.0.1", 0))
    port: int = made.getsockname()[1]
    return port


def gate_folder(run: Path, step: str) -> Path:
    """Where a decision for a step is written."""
    return run / "gates" / safe_name(step)


def _file(run: Path, step: str) -> Path:
    return run / "gates" / f"{safe_name(step)}.json"


def standing_of(step: Step, run: str, message: str, since: float, opened: Opening, box: str) -> Standing:
    """What the commands know of an attempt; `box` is what its engine calls its box."""
    gate = step.gate
    return Standing(
        run=run,
        step=step.name,
        task=step.task,
        display_name=step.display_name,
        type=step.type,
        pod=opened.pod,
        since=since,
        waits=gate is not None,
        until=since + gate.timeout if gate and gate.timeout else None,
        message=message,
        on_reject=gate.on_reject if gate else "fail",
        values=gate.values if gate else (),
        ports=step.ports,
        port=step.jupyter.port if step.jupyter else 0,
        start_path=step.jupyter.start_path if step.jupyter else "",
        ssh=step.ssh.port if step.ssh else 0,
        handle=json.dumps({"box": box, "ports": {str(own): here for own, here in opened.ports.items()}}),
    )


@contextmanager
def told(run: Path, standing: Standing | None) -> Iterator[None]:
    """Tell the commands of a step while the block lasts. Raises OSError."""
    if standing is None:
        yield
        return
    path = _file(run, standing.step)
    # Secrets are not in it, but a person's words may be.
    handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(standing), file)
    os.replace(path.with_suffix(".new"), path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def read_standing(run: Path, step: str) -> Standing | None:
    """What the attempt that runs has told; None where none does."""
    try:
        fields = json.loads(_file(run, step).read_text(encoding="utf-8"))
        values = tuple(GateValue(**_value(one)) for one in fields.pop("values"))
        ports = tuple(Port(**one) for one in fields.pop("ports"))
        return Standing(**fields, values=values, ports=ports)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _value(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"enum": None if fields["enum"] is None else tuple(fields["enum"])}
