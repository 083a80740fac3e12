"""What Argo calls the nodes and pods of a run that KFP compiled (argocompiler/dag.go; Argo's workflow/util/pod_name.go).

A task's path is the IR machine's: `train`, `condition-1/deploy`, `for-loop-1/iteration-2/train`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1 << 17)
def fnv(text: str) -> int:
    """FNV-1a of 32 bits."""
    made = 0x811C9DC5
    for byte in text.encode():
        made = (made ^ byte) * 0x01000193 & 0xFFFFFFFF
    return made


def is_exit(task: Mapping[str, Any]) -> bool:
    return bool(task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED")


@dataclass(frozen=True)
class Names:
    """The names in one run. `pipeline` and `platform` are the IR's two documents. `retried`: the workflow has KFP's default
    retry strategy for every template, as the manifests of 2.17 ship it, so each node `x` is a retry of `x(0)`."""

    workflow: str
    pipeline: Mapping[str, Any]
    platform: Mapping[str, Any] | None
    retried: bool = True

    @property
    def once(self) -> str:
        return "(0)" if self.retried else ""

    @property
    def root(self) -> str:
        """The node of the root DAG's task."""
        return f"{self.workflow}{self.once}.root"

    def id(self, node: str) -> str:
        return node if node == self.workflow else f"{self.workflow}-{fnv(node)}"

    def walk(self, path: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any], bool]:
        """The node of a task, its IR, its component, and whether it is in an exit task."""
        dag, node = self.root + self.once, self.root
        task: Mapping[str, Any] = {}
        component = self.pipeline["root"]
        leaving = looping = False
        for segment in path.split("/"):
            if looping and (found := re.fullmatch(r"iteration-(\d+)", segment)):
                index = found[1]
                node = f"{dag}.iteration-iterations({index}:{index}){self.once}.iteration-item"
                dag, looping = node + self.once, False
                continue
            task = component["dag"]["tasks"][segment]
            if is_exit(task):
                leaving = True
                dag = f"{dag}.{task['dependentTasks'][0]}.onExit{self.once}"
            node = f"{dag}.{segment}"
            component = self.pipeline.get("components", {})[task["componentRef"]["name"]]
            dag, looping = node + self.once, "parameterIterator" in task
        return node, task, component, leaving

    def leaving(self, path: str) -> bool:
        """Whether a task is an exit task, or in one."""
        return self.walk(path)[3]

    def pod_node(self, path: str, attempt: int | None) -> str:
        """The node of a pod. `attempt` is None for a task without a retry policy of its own."""
        node, _, component, _ = self.walk(path)
        executor = self.pipeline["deploymentSpec"]["executors"][component["executorLabel"]]
        if "importer" in executor:
            return node + self.once
        once = self.once if attempt is None else f"({attempt})"
        return f"{node}{self.once}.executor{once}"

    def template(self, path: str, kind: str = "impl") -> str:
        """The template of a container task's pod, or of the DAG around it: kind `executor`."""
        _, task, component, _ = self.walk(path)
        label = component["executorLabel"]
        if "importer" in self.pipeline["deploymentSpec"]["executors"][label]:
            return "system-importer"
        name = f"system-container-{kind}"
        if "retryPolicy" in task:
            name = f"retry-{name}"
        kubernetes = (self.platform or {}).get("platforms", {}).get("kubernetes", {})
        metadata = kubernetes.get("deploymentSpec", {}).get("executors", {}).get(label, {}).get("podMetadata")
        if metadata is not None:
            name = f"metadata-{len(metadata.get('annotations', {}))}-{len(metadata.get('labels', {}))}-{name}"
        return name

    def pod(self, path: str, attempt: int | None) -> str:
        """The name of a step's pod."""
        return self.pod_of(self.pod_node(path, attempt), self.template(path))

    def pod_of(self, node: str, template: str) -> str:
        return f"{f'{self.workflow}-{template}'[: 253 - 11 - 1]}-{fnv(node)}"
