"""Runs that are not executed: an IR of many tasks, and what a run of it looks like when so many of them are done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import yaml

from .facts import Container, Known
from .store import now

if TYPE_CHECKING:
    from .kfp import Kfp
    from .store import Run


def many_tasks(count: int, *, wide: int = 10, words: int = 200) -> str:
    """An IR of `count` container tasks `task-000`..., each behind the one `wide` places before it; a command of about so
    many words each."""
    component = {"executorLabel": "exec-one"}
    tasks: dict[str, Any] = {}
    for index in range(count):
        task: dict[str, Any] = {
            "taskInfo": {"name": f"task-{index:03}"},
            "componentRef": {"name": "comp-one"},
            "cachingOptions": {},
        }
        tasks[f"task-{index:03}"] = task | ({"dependentTasks": [f"task-{index - wide:03}"]} if index >= wide else {})
    command = ["sh", "-c", " ".join(["true &&"] * (words // 2)) + " true"]
    return yaml.safe_dump(
        {
            "pipelineInfo": {"name": "many"},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "components": {"comp-one": component},
            "deploymentSpec": {"executors": {"exec-one": {"container": {"image": "a", "command": command}}}},
            "root": {"dag": {"tasks": tasks}},
        }
    )


def pretend(kfp: Kfp, run: Run, *, done: int, running: int = 0, failed: bool = False) -> None:
    """Make a run of a plain DAG look as if its first `done` tasks, in the order of their names, had succeeded, the next
    `running` were going on, and, where `failed`, the last one done had failed. With all done, the run is at its end."""
    with kfp.lock:
        execution = kfp.engine.executions.get(run.id) or kfp.engine.add(run)
        facts, at = execution.facts, time.time()
        facts.begun = facts.begun or at
        facts.phase = "Running"
        facts.changes += 1
        facts.task("")
        names = sorted(run.spec.pipeline["root"]["dag"]["tasks"])
        for index, name in enumerate(names[: done + running]):
            known = facts.tasks.setdefault(name, Known(at))
            if not known.containers:
                pod = {"metadata": {"name": execution.names.pod(name, None)}, "spec": _spec(run, name)}
                known.containers.append(Container(pod["metadata"]["name"], pod, at, at))
            if index < done and not known.state:
                bad = failed and index == done - 1
                known.state, known.ended, known.exit_code = "failed" if bad else "succeeded", at, int(bad)
                known.containers[0].ended, known.containers[0].code = at, int(bad)
                known.log = f"{name}\n"
        if done >= len(names) or failed:
            facts.phase, facts.ended = "Failed" if failed else "Succeeded", at
        state = {"Running": "RUNNING", "Failed": "FAILED", "Succeeded": "SUCCEEDED"}[facts.phase]
        run.moved(state)
        run.finished = now() if facts.ended else 0


def _spec(run: Run, name: str) -> dict[str, Any]:
    task = run.spec.pipeline["root"]["dag"]["tasks"][name]
    executor = run.spec.executors[run.spec.components[task["componentRef"]["name"]]["executorLabel"]]
    return {"containers": [{"name": "main", **executor.get("container", {})}]}
