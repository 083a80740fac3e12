"""The Kubernetes side of an executing run: its pods for the fake Kubernetes API of tests/cluster, and people at gates."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from .facts import Container
from .store import Run, now, stamp

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir import sandbox
from ir.people import opened
from ir.pod import main_of
from ir.state import Cluster
from ir.volumes import environment, mounts, project

if TYPE_CHECKING:
    from .kfp import Kfp


class MachinePod:
    """A pod of the IR machine, as tests/cluster/api.py wants one (there: box.Pod): to be listed, to be given a ConfigMap's
    content, and for commands to be run in its volumes. Processes of the step itself are not seen by them."""

    def __init__(self, kfp: Kfp, run: Run, path: str, pod: Mapping[str, Any], workflow: Mapping[str, Any]) -> None:
        self.kfp, self.path, self.pod, self.workflow = kfp, path, pod, workflow
        self.run = run.id
        self.name = str(pod["metadata"]["name"])
        self.step = str(pod["metadata"]["labels"].get("kade2kfp/step", ""))
        self.uid = f"uid-of-{self.name}"
        self.annotations = dict(pod["metadata"]["annotations"])
        self.created = stamp(now())
        self.executed: list[str] = []
        task = kfp.engine.executions[run.id].facts.tasks[path]
        folder = kfp.engine.folder(run) / "pods" / path.replace("/", "--")
        self.home = folder / str(len(task.containers) - 1)
        self.container: Container = task.containers[-1]

    def json(self) -> dict[str, Any]:
        one = self.container
        metadata = {
            **self.pod["metadata"],
            "uid": self.uid,
            "creationTimestamp": self.created,
            "annotations": dict(self.annotations),
        }
        owner = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "controller": True,
            "blockOwnerDeletion": True,
        }
        metadata["ownerReferences"] = [owner | {"name": self.workflow["name"], "uid": self.workflow["uid"]}]
        state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        if one.message.startswith("CreateContainerConfigError: "):
            reason, _, message = one.message.partition(": ")
            state = {"waiting": {"reason": reason, "message": message}}
        elif one.ended and one.code is not None:
            times = {"startedAt": stamp(int(one.running or one.begun)), "finishedAt": stamp(int(one.ended))}
            state = {"terminated": {"exitCode": one.code, "reason": "Error" if one.code else "Completed", **times}}
        elif one.running:
            state = {"running": {"startedAt": stamp(int(one.running))}}
        phase = {"Error": "Pending"}.get(one.phase, one.phase)
        statuses = [
            {"name": "wait", "state": {"running": {"startedAt": self.created}}},
            {"name": "main", "state": state},
        ]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": self.pod["spec"],
            "status": {"phase": phase, "containerStatuses": statuses},
        }

    def project(self, data: Mapping[str, str]) -> None:
        """kubelet brings the run's ConfigMap."""
        for volume in self.pod["spec"].get("volumes", []):
            if volume.get("configMap", {}).get("name") == self.run:
                project(self.home / "volumes" / volume["name"], data)

    def words(self, command: Sequence[str], *, own: bool = False) -> list[str]:
        """A command as it is run with the pod's mounts and user."""
        machine = self.kfp.machine
        cluster = Cluster(
            self.kfp.folder / "runs" / self.run,
            int(machine.get("user", 0)),
            bool(machine.get("read_only")),
            machine.get("secrets", {}),
            machine.get("config_maps", {}),
            "OnError",
            60,
            BoundedSemaphore(),
        )
        container = main_of(self.pod)
        user = int(container.get("securityContext", {}).get("runAsUser", cluster.user))
        bound = mounts(self.pod, container, self.home, cluster)
        options = sandbox._sandbox(bound, environment(self.pod, container, cluster), user, cluster.read_only, "")
        return [*sandbox._outside(user, user), *options, *sandbox._become(user, user), *command]

    def stop(self) -> None:
        """The run's end is the engine's matter."""


def join(kfp: Kfp, api: Any) -> None:
    """Give the pods of all runs that start from now on to a fake Kubernetes API (tests/cluster/api.py, Api), and their
    workflow."""

    def made(run: Run, path: str, pod: Mapping[str, Any]) -> None:
        workflow = kfp.engine.workflow(run)
        assert workflow is not None
        api.workflow = {key: workflow[key] for key in ("apiVersion", "kind", "metadata")}
        api.project(api.add(MachinePod(kfp, run, path, pod, workflow["metadata"])))

    kfp.pod_made = made


def decide(
    kfp: Kfp,
    run_id: str,
    task: str,
    word: str = "resume",
    *,
    values: Mapping[str, str] | None = None,
    reason: str = "",
    by: str = "ada",
) -> None:
    """Wait until a gate of a run is open, and decide by the run's ConfigMap, as the commands do. `task` is the task's path."""
    run = kfp.run(run_id)
    place = opened(kfp.engine.folder(run), task.replace("/", "--")).parent
    pod = kfp.engine.executions[run_id].facts.tasks[task].containers[-1].pod
    uid = f"uid-of-{pod['metadata']['name']}"
    said = {"decision": f"{word} {uid}\n", "by": f"{by}\n", "reason": f"{reason}\n"}
    said |= {f"value-{name}": text for name, text in (values or {}).items()}
    gate = pod["metadata"]["labels"].get("kade2kfp/gate", task)
    project(place / run_id, {f"{gate}.{name}": text for name, text in said.items()})
