"""The controllers of kube_api.py: Deployments with their ReplicaSets, InferenceServices, and the pods that both would have."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

NAMESPACE = "team"
Json = dict[str, Any]


class Controllers:
    """What becomes of the objects.

    `behaviours` says how the pods of each new ReplicaSet fare, one after the other, the last one for all that follow:
    `ready`, `image`, `crash`, `unschedulable`, `silent` (never ready), `deadline` (the controller gives up), `quota`, `stuck`
    (the controller looks at nothing).
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.behaviours = ["ready"]
        self.fares: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.count = 100

    def tick(self) -> None:
        """What the controllers do between two requests."""
        for (kind, _), thing in list(self.objects.items()):
            if kind == "Deployment":
                self._deployment(thing)
            if kind == "InferenceService":
                self._inference_service(thing)

    def _deployment(self, thing: Json) -> None:
        before = copy.deepcopy(thing.get("status"))
        name, spec = thing["metadata"]["name"], thing["spec"]
        new = self._replica_set(thing)
        fares, ticks = self._fares(new)
        if fares == "stuck":
            return
        replicas = spec["replicas"]
        ready = replicas if fares == "ready" and ticks > 3 else 0
        old = [one for one in self.sets(name) if one != new]
        if ready >= replicas:
            for one in old:
                self.objects[("ReplicaSet", one)]["spec"]["replicas"] = 0
        self.objects[("ReplicaSet", new)]["spec"]["replicas"] = replicas
        left = sum(self.objects[("ReplicaSet", one)]["spec"]["replicas"] for one in old)
        conditions = [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": ""}]
        if fares == "deadline" and ticks > 3:
            message = f'ReplicaSet "{new}" has timed out progressing.'
            conditions = [
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message}
            ]
        if fares == "quota":
            message = f'pods "{new}-x" is forbidden: exceeded quota: small'
            conditions.append({"type": "ReplicaFailure", "status": "True", "message": message})
        thing["status"] = {
            "observedGeneration": thing["metadata"]["generation"],
            "updatedReplicas": replicas if fares != "quota" else 0,
            "replicas": left + (replicas if fares != "quota" else 0),
            "readyReplicas": left + ready,
            "conditions": conditions,
        }
        if thing["status"] != before:
            self.count += 1
            thing["metadata"]["resourceVersion"] = str(self.count)

    def _inference_service(self, thing: Json) -> None:
        predictor = thing["spec"]["predictor"]
        version = predictor["labels"]["kade2kfp/version"]
        fares, ticks = self._fares(f"{thing['metadata']['name']}-{version}")
        ready = fares == "ready" and ticks > 3
        message = "" if ready else "the predictor is not ready"
        name = thing["metadata"]["name"]
        thing["status"] = {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "message": message}],
            "url": f"http://{name}.example.com",
            "address": {"url": f"http://{name}-predictor.{NAMESPACE}.svc.cluster.local"},
        }

    def _fares(self, name: str) -> tuple[str, int]:
        if name not in self.fares:
            self.fares[name] = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        self.seen[name] = self.seen.get(name, 0) + 1
        return self.fares[name], self.seen[name]

    def sets(self, name: str) -> list[str]:
        return [of for kind, of in self.objects if kind == "ReplicaSet" and of.rpartition("-")[0] == name]

    def _replica_set(self, thing: Json) -> str:
        """The ReplicaSet of a Deployment's template: the one that there is of an equal template, or a new one."""
        template = copy.deepcopy(thing["spec"]["template"])
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
        name = f"{thing['metadata']['name']}-{digest}"
        if ("ReplicaSet", name) not in self.objects:
            template["metadata"]["labels"]["pod-template-hash"] = digest
            metadata = {"name": name, "labels": dict(template["metadata"]["labels"])}
            self.objects[("ReplicaSet", name)] = {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": metadata | {"resourceVersion": "1", "uid": name},
                "spec": {"replicas": 0, "template": template},
            }
        return name

    def pods(self) -> list[Json]:
        """The pods of all ReplicaSets and InferenceServices."""
        found = []
        for (kind, name), thing in self.objects.items():
            if kind == "ReplicaSet" and thing["spec"]["replicas"]:
                found.append(self._pod(name, thing["metadata"]["labels"], thing["spec"]["template"]["spec"]))
            if kind == "InferenceService":
                predictor = thing["spec"]["predictor"]
                name = f"{name}-{predictor['labels']['kade2kfp/version']}"
                found.append(self._pod(name, predictor["labels"], predictor))
        return found

    def _pod(self, owner: str, labels: Json, spec: Json) -> Json:
        fares, container = self.fares.get(owner, "stuck"), spec["containers"][0]["name"]
        ready = fares == "ready" and self.seen[owner] > 3
        state: Json = {
            "ready": {"running": {}},
            "silent": {"running": {}},
            "image": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
            "crash": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}},
        }.get(fares, {"waiting": {"reason": "ContainerCreating"}})
        last = {"terminated": {"exitCode": 3, "reason": "Error"}} if fares == "crash" else {}
        status: Json = {
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": container, "ready": ready, "state": state, "lastState": last}],
        }
        if fares == "unschedulable":
            message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
            status["conditions"] = [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            ]
            status["containerStatuses"] = []
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{owner}-pod", "labels": labels},
            "spec": spec,
            "status": status,
        }
