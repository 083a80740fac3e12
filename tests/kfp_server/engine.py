"""Executes runs: a worker process for each, which has the IR machine; and what KFP's persistence agent tells of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warm

from . import nodes, workflow
from .facts import Facts
from .names import Names
from .store import Run, now, stamp

if TYPE_CHECKING:
    from .kfp import Kfp

_FINAL = {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "Error": "FAILED"}


@cache
def ready() -> None:
    """Returns when runs can be started at once: the process that they are forked from takes seconds to begin."""
    warm.run([sys.executable, "-c", ""])


@dataclass
class Execution:
    """A run that is, or was, executed."""

    names: Names
    folder: Path
    facts: Facts = field(default_factory=Facts)
    process: subprocess.Popen[str] | None = None
    errors: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seen: tuple[int, dict[str, Any]] | None = None


class Engine:
    """The executions of a KFP, by the run's id."""

    def __init__(self, kfp: Kfp) -> None:
        self.kfp = kfp
        self.executions: dict[str, Execution] = {}

    def of(self, run: Run) -> Execution | None:
        return self.executions.get(run.id)

    def folder(self, run: Run) -> Path:
        return self.kfp.folder / "runs" / run.id

    def add(self, run: Run) -> Execution:
        """An execution that nothing was told of yet."""
        names = Names(run.k8s_name, run.spec.pipeline, run.spec.platform, self.kfp.default_retry)
        self.executions[run.id] = made = Execution(names, self.folder(run))
        return made

    def start(self, run: Run) -> None:
        """Execute a run. All runs have one object store and one set of claims."""
        made = self.add(run)
        made.folder.mkdir(parents=True)
        for above in (made.folder, *made.folder.parents):
            if above == self.kfp.folder.parent:
                break
            above.chmod(0o755)
        for name in ("bucket", "claims"):
            shared = self.kfp.folder / name
            shared.mkdir(exist_ok=True)
            shared.chmod(0o777 if name == "bucket" else 0o755)
            (made.folder / name).symlink_to(shared)
        self._go(run, made, {})

    def _go(self, run: Run, made: Execution, kept: Mapping[str, Any]) -> None:
        job = {
            "id": run.id,
            "workflow": run.k8s_name,
            "namespace": run.namespace or "kubeflow",
            "created": stamp(run.created),
            "display_name": run.name,
            "text": run.spec.yaml(),
            "pipeline": run.spec.pipeline,
            "platform": run.spec.platform,
            "retried": self.kfp.default_retry,
            "folder": str(made.folder),
            "parameters": run.config.get("parameters", {}),
            "machine": self._machine(),
            "kept": kept,
        }
        file = made.folder / f"job-{run.tries}.json"
        file.write_text(json.dumps(job), encoding="utf-8")
        made.process = warm.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._follow, args=(run, made, made.process), daemon=True).start()

    def _machine(self) -> dict[str, Any]:
        options = {"at_once": 16, "timeout": 300, **self.kfp.machine}
        if "programs" in options:
            options["programs"] = [(str(one.source), one.path, one.read_only) for one in options["programs"]]
        return options

    def _follow(self, run: Run, made: Execution, process: subprocess.Popen[str]) -> None:
        """Hear what a worker tells until its end."""
        assert process.stdout is not None
        assert process.stderr is not None
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        reader.start()
        for line in process.stdout:
            with self.kfp.lock:
                if made.process is process:
                    self._heard(run, made, json.loads(line))
        process.wait()
        reader.join()
        with self.kfp.lock:
            made.errors += "".join(errors)
            if made.process is process and not made.facts.ended:
                self._heard(run, made, {"event": "refused", "message": f"the worker ended: {made.errors[-2000:]}"})

    def _heard(self, run: Run, made: Execution, event: Mapping[str, Any]) -> None:
        facts = made.facts
        if not facts.phase:
            facts.phase, facts.begun = "Running", time.time()
            if run.state == "PENDING":
                run.moved("RUNNING")
        facts.heard(event)
        path = str(event.get("path", ""))
        if event["event"] == "container" and run.terminating and event["code"] and not made.names.leaving(path):
            facts.tasks[path].containers[-1].message = "stopped"
        if event["event"] == "pod" and self.kfp.pod_made:
            self.kfp.pod_made(run, path, event["pod"])
        if event["event"] == "container" and self.kfp.pod_ended:
            self.kfp.pod_ended(run, path, facts.tasks[path].containers[-1].pod, event["code"] == 0)
        if facts.ended:
            run.finished = now()
            run.moved(_FINAL[facts.phase])

    def terminate(self, run: Run) -> None:
        """Stop a run. The workflow is changed, so the persistence agent reports it at once, which the history keeps."""
        made = self.of(run)
        if made is not None and made.process is not None and made.process.stdin is not None:
            try:
                made.process.stdin.write("terminate\n")
                made.process.stdin.flush()
                run.moved("CANCELING")
            except (BrokenPipeError, ValueError):
                pass

    def retry(self, run: Run) -> None:
        """The same run again: what has succeeded stays, pods that failed are deleted and made anew, by the same names."""
        made = self.of(run)
        if made is None:
            return
        kept = {}
        before, made.facts = made.facts, Facts(begun=made.facts.begun, phase="Running", changes=made.facts.changes + 1)
        for path, task in before.tasks.items():
            if task.state == "succeeded" and (task.containers or task.attempts) and not self._imports(made, path):
                kept[path] = {
                    "parameters": task.parameters,
                    "artifacts": task.artifacts,
                    "log": task.log,
                    "attempts": task.attempts,
                    "inputs": task.inputs,
                }
                made.facts.tasks[path] = task
            else:
                shutil.rmtree(made.folder / "pods" / path.replace("/", "--"), ignore_errors=True)
        if made.process is not None:
            self._go(run, made, kept)

    @staticmethod
    def _imports(made: Execution, path: str) -> bool:
        return made.names.template(path) == "system-importer"

    def abandon(self, run: Run) -> None:
        """A run is deleted, its workflow with it."""
        made = self.executions.pop(run.id, None)
        if made is not None:
            _kill(made)

    def stop(self) -> None:
        for made in list(self.executions.values()):
            _kill(made)

    # What is told of them.

    def workflow(self, run: Run) -> dict[str, Any] | None:
        """The Argo Workflow; None before Argo has seen it. It does not change until something happens."""
        made = self.of(run)
        if made is None or not made.facts.phase:
            return None
        if made.seen is None or made.seen[0] != made.facts.changes or run.terminating:
            facts = {
                "id": run.id,
                "namespace": run.namespace or "kubeflow",
                "display_name": run.name,
                "created": stamp(run.created),
            }
            facts |= {"service_account": run.service_account, "terminating": run.terminating}
            made.seen = (
                made.facts.changes,
                workflow.workflow(made.names, made.facts, run=facts, nodes=nodes.Nodes(made.names, made.facts).made),
            )
        return made.seen[1]

    def manifest(self, run: Run) -> str:
        found = self.workflow(run)
        return json.dumps(found, separators=(",", ":")) if found else ""

    def task_details(self, run: Run) -> list[dict[str, Any]]:
        made, found = self.of(run), self.workflow(run)
        return workflow.details(run.id, found, made.ids, made.histories) if made and found else []

    def told(self, run: Run) -> str:
        """Why a run is as it is: for the messages of tests."""
        made = self.of(run)
        if made is None:
            return "it is not executed"
        logs = {path: (task.state, task.log[-500:]) for path, task in made.facts.tasks.items()}
        return f"{made.facts.message or logs} {made.errors}"


def _kill(made: Execution) -> None:
    """End a worker and its containers: bubblewrap's die with it."""
    process, made.process = made.process, None
    if process is not None and process.poll() is None:
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
