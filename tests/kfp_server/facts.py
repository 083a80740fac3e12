"""What is known of a run on its way: told by its worker, or made up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Container:
    """One pod of a step. `code` is the container's: 0 or 1, None while it runs or where it never did."""

    name: str
    pod: Mapping[str, Any]
    begun: float
    running: float = 0.0
    ended: float = 0.0
    code: int | None = None
    message: str = ""

    @property
    def phase(self) -> str:
        if self.ended:
            return "Failed" if self.code else "Succeeded" if self.code == 0 else "Error"
        return "Running" if self.running else "Pending"


@dataclass
class Known:
    """A task by its path: a step, an importer, a DAG, a loop or an iteration."""

    begun: float
    ended: float = 0.0
    state: str = ""  # the machine's: succeeded, failed, skipped, not-run; empty while it goes on
    exit_code: int | None = None
    log: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    containers: list[Container] = field(default_factory=list)
    items: int | None = None  # of a loop
    attempts: int = 0
    cached: bool = False

    @property
    def refused(self) -> str:
        """Why the task's driver failed; empty where it did not."""
        mine = self.state == "failed" and not self.containers and self.log.startswith("driver: ")
        return self.log.removeprefix("driver: ").strip() if mine else ""

    @property
    def stopped(self) -> bool:
        """Whether it never began, because the run was stopped."""
        return self.refused == "the run was stopped"


@dataclass
class Facts:
    """A run's tasks, its state and times; `changes` counts what was told."""

    begun: float = 0.0
    ended: float = 0.0
    phase: str = ""  # the workflow's: Running, Succeeded, Failed; empty before Argo has seen it
    message: str = ""
    tasks: dict[str, Known] = field(default_factory=dict)
    changes: int = 0

    def task(self, path: str) -> Known:
        if path not in self.tasks:
            self.tasks[path] = Known(time.time())
        return self.tasks[path]

    def heard(self, event: Mapping[str, Any]) -> None:
        """An event of the worker."""
        self.changes += 1
        at, path = time.time(), str(event.get("path", ""))
        match event["event"]:
            case "dag":
                self.task(path).inputs = event["inputs"]
            case "loop":
                self.task(path).items = len(event["items"])
            case "pod":
                self.task(path).containers.append(Container(event["pod"]["metadata"]["name"], event["pod"], at))
            case "running":
                self.task(path).containers[-1].running = at
            case "stuck":
                self.task(path).containers[-1].message = event["message"]
            case "container":
                last = self.task(path).containers[-1]
                last.ended, last.message = at, event["message"]
                last.code = None if event["code"] is None else int(event["code"] != 0)
            case "outputs":
                task = self.task(path)
                task.parameters, task.artifacts = event["parameters"], event["artifacts"]
            case "task":
                task = self.task(path)
                task.ended, task.state, task.exit_code = at, event["state"], event["exit_code"]
                task.log, task.inputs, task.attempts = event["log"], event["inputs"], event["attempts"]
                for one in task.containers:  # an importer's pod is not run
                    one.running, one.ended = one.running or one.begun, one.ended or at
                    one.code = 0 if one.code is None and task.state == "succeeded" else one.code
            case "end":
                self.ended, self.phase = at, event["state"].title()
            case "refused":
                self.ended, self.phase, self.message = at, "Error", event["message"]
        if self.ended:
            for task in self.tasks.values():
                task.ended = task.ended or at
                task.state = task.state or ("succeeded" if self.phase == "Succeeded" else "failed")
