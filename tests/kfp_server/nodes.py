"""The nodes that Argo makes of what KFP compiles (argocompiler/dag.go, container.go; Argo 4.0.5, workflow/controller/dag.go)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .facts import Container, Facts, Known
from .names import Names, is_exit

_PHASE = {"succeeded": "Succeeded", "failed": "Failed", "skipped": "Skipped", "not-run": "Omitted", "": "Running"}
DONE = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
_OMITTED = "omitted: depends condition not met"
_DEADLINE = "Step exceeded its deadline"


def at(seconds: float) -> str | None:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


class Nodes:
    """The nodes of a run, by id."""

    def __init__(self, names: Names, facts: Facts) -> None:
        self.names, self.facts = names, facts
        self.made: dict[str, dict[str, Any]] = {}
        self.leaves: dict[str, list[str]] = {}  # by node: where what follows it hangs (OutboundNodes)
        if facts.phase:
            self._entrypoint()

    def _node(
        self, name: str, kind: str, template: str, phase: str, begun: float, ended: float, boundary: str, **more: Any
    ) -> dict[str, Any]:
        parts = name.split(".")
        display = ".".join(parts[-2:]) if parts[-1].startswith("onExit") else parts[-1]
        node: dict[str, Any] = {"id": self.names.id(name), "name": name, "displayName": display, "type": kind}
        node |= {"templateName": template, "templateScope": f"local/{self.names.workflow}", "phase": phase}
        node |= {"boundaryID": self.names.id(boundary)} if boundary else {}
        done = phase in DONE
        node |= {"startedAt": at(begun or ended), "finishedAt": at(ended or begun) if done else None}
        node |= {"progress": "1/1" if done else "0/1"} | {key: one for key, one in more.items() if one}
        self.made[node["id"]] = node
        self.leaves[name] = [name]
        return node

    def _follow(self, above: str, *names: str) -> None:
        """Nodes hang below another."""
        node = self.made[self.names.id(above)]
        children = node.setdefault("children", [])
        children += [id_ for name in names if (id_ := self.names.id(name)) in self.made and id_ not in children]

    def _wrapped(
        self, name: str, kind: str, template: str, phase: str, begun: float, ended: float, boundary: str, **more: Any
    ) -> str:
        """A node, below a Retry node of its name where KFP's default retry strategy holds; the name of the inner one."""
        if not self.names.retried:
            self._node(name, kind, template, phase, begun, ended, boundary, **more)
            return name
        # Argo gives the message of the last try to the Retry node too.
        shared = {key: one for key, one in more.items() if key in ("inputs", "message", "outputs", "nodeFlag")}
        self._node(name, "Retry", template, phase, begun, ended, boundary, **shared)
        inner = f"{name}(0)"
        more["nodeFlag"] = {**more.get("nodeFlag", {}), "retried": True}
        self._node(inner, kind, template, phase, begun, ended, boundary, **more)
        self._follow(name, inner)
        self.leaves[name] = [inner]
        return inner

    def _absent(self, name: str, template: str, phase: str, when: float, boundary: str, message: str) -> None:
        """A node for what does not run."""
        self._node(name, "Skipped", template, phase, when, when, boundary, message=message)

    def _entrypoint(self) -> None:
        facts, names = self.facts, self.names
        phase, boundary = facts.phase, names.workflow + names.once
        self._wrapped(names.workflow, "DAG", "entrypoint", phase, facts.begun, facts.ended, "", message=facts.message)
        started = "" in facts.tasks
        driver = f"{boundary}.root-driver"
        self._pod(
            driver,
            "system-dag-driver",
            "Succeeded" if started else "Running",
            facts.begun,
            facts.begun,
            boundary,
            {"driver-type": "ROOT_DAG"},
            {"execution-id": "1"},
        )
        self._follow(boundary, driver)
        if not started:
            return
        inner = self._wrapped(
            names.root,
            "DAG",
            "root",
            phase,
            facts.tasks[""].begun,
            facts.ended,
            boundary,
            inputs=_parameters({"parent-dag-id": "1"}),
        )
        self._follow(self.leaves[driver][0], names.root)
        self._dag(inner, "", names.pipeline["root"])

    def _pod(
        self, name: str, template: str, phase: str, begun: float, ended: float, boundary: str,
        inputs: Mapping[str, Any], outputs: Mapping[str, Any], message: str = "",
    ) -> str:  # fmt: skip
        told = _parameters(outputs) | ({"exitCode": "0" if phase == "Succeeded" else "1"} if phase in DONE else {})
        inner = self._wrapped(
            name,
            "Pod",
            template,
            phase,
            begun,
            ended,
            boundary,
            inputs=_parameters(inputs),
            outputs=told if phase in DONE else {},
            message=message,
        )
        for one in {name, inner}:
            if self.made[self.names.id(one)]["type"] == "Pod":
                self.made[self.names.id(one)] |= {"hostNodeName": "a-node", "podName": self.names.pod_of(one, template)}
        return inner

    def _dag(self, dag: str, path: str, component: Mapping[str, Any]) -> None:
        """The tasks of a DAG whose node is `dag`."""
        tasks = component["dag"]["tasks"]
        ends: dict[str, list[str]] = {}
        firsts: dict[str, str] = {}
        exits = {task["dependentTasks"][0]: key for key, task in tasks.items() if is_exit(task)}
        for key in sorted(tasks):
            if is_exit(tasks[key]):
                continue
            first = self._task(f"{dag}.{key}", f"{path}/{key}".lstrip("/"), key, tasks[key], dag)
            if first is None:
                continue
            firsts[key], ends[key] = first, self.leaves.get(f"{dag}.{key}", [first])
            if key in exits:
                self._hook(f"{dag}.{key}.onExit", path, exits[key], tasks[exits[key]], dag, key)
        for key, first in firsts.items():
            before = [one for one in _before(tasks[key]) if one in ends]
            for above in [leaf for one in before for leaf in ends[one]] or [dag]:
                self._follow(above, first)
        last = [key for key in ends if not any(key in _before(task) for other, task in tasks.items() if other in ends)]
        self.leaves[dag] = [leaf for key in last for leaf in ends[key]] or [dag]

    def _hook(self, name: str, path: str, key: str, task: Mapping[str, Any], boundary: str, host: str) -> None:
        below = f"{path}/{key}".lstrip("/")
        known = self.facts.tasks.get(below)
        if known is None or known.state == "not-run" or known.stopped:
            return
        phase = _PHASE[known.state]
        parent = path.rpartition("/")[2] or "root"
        inner = self._wrapped(
            name,
            "DAG",
            f"exit-hook-{parent}-{key}",
            phase,
            known.begun,
            known.ended,
            boundary,
            nodeFlag={"hooked": True},
        )
        self._follow(f"{boundary}.{host}", name)
        first = self._task(f"{inner}.{key}", below, key, task, inner)
        if first:
            self._follow(inner, first)

    def _task(
        self, name: str, path: str, key: str, task: Mapping[str, Any], dag: str, iteration: int | None = None
    ) -> str | None:
        """The nodes of a task, and the name of its first one; None where Argo has none yet."""
        known = self.facts.tasks.get(path)
        if known is None or known.stopped:
            return None
        component = self.names.pipeline["components"][task["componentRef"]["name"]]
        loop = "parameterIterator" in task and iteration is None
        executor = self._executor(component)
        if "importer" in executor:
            return self._importer(name, key, known, task, dag)
        if loop:
            return self._loop(name, path, task, component, known, dag)
        template = task["componentRef"]["name"] if "dag" in component else self.names.template(path, "executor")
        kind = "system-dag-driver" if "dag" in component else "system-container-driver"
        driver = f"{name}-driver"
        if known.state == "not-run":
            self._absent(driver, kind, "Omitted", known.ended, dag, _OMITTED)
            self._absent(name, template, "Omitted", known.ended, dag, _OMITTED)
            self._follow(driver, name)
            return driver
        self._driver(driver, kind, key, known, task, component, dag, iteration)
        if known.refused:
            self._absent(name, template, "Omitted", known.ended, dag, _OMITTED)
        elif known.state == "skipped":
            self._absent(name, template, "Skipped", known.ended, dag, "when 'false != false' evaluated false")
        else:
            more = (
                {"inputs": _parameters({"parent-dag-id": str(_execution(path)), "condition": "true"})}
                if "dag" in component
                else {}
            )
            inner = self._wrapped(name, "DAG", template, _PHASE[known.state], known.begun, known.ended, dag, **more)
            if "dag" in component:
                self._dag(inner, path, component)
            else:
                self._executed(inner, path, known, task)
            self.leaves[name] = self.leaves[inner]
        self._follow(self.leaves[driver][0], name)
        return driver

    def _executor(self, component: Mapping[str, Any]) -> Mapping[str, Any]:
        executors: Mapping[str, Any] = self.names.pipeline.get("deploymentSpec", {}).get("executors", {})
        found: Mapping[str, Any] = executors.get(component.get("executorLabel", ""), {})
        return found

    def _driver(
        self, name: str, kind: str, key: str, known: Known, task: Mapping[str, Any], component: Mapping[str, Any], dag: str, iteration: int | None
    ) -> None:  # fmt: skip
        inputs = {"component": json.dumps(component), "task": json.dumps(task), "task-name": key}
        inputs |= {"parent-dag-id": "1", "iteration-index": str(-1 if iteration is None else iteration)}
        outputs = {"condition": "false" if known.state == "skipped" else "true"}
        if kind == "system-container-driver":
            inputs["container"] = json.dumps(self._executor(component).get("container", {}))
            patch = json.dumps(known.containers[0].pod["spec"]) if known.containers else ""
            outputs |= {"pod-spec-patch": patch, "cached-decision": str(known.cached).lower()}
        else:
            outputs |= {"execution-id": str(_execution(name)), "iteration-count": "0"}
        if known.refused:
            self._pod(name, kind, "Failed", known.begun, known.ended, dag, inputs, {}, "Error (exit code 1)")
        else:
            self._pod(name, kind, "Succeeded", known.begun, known.begun, dag, inputs, outputs)

    def _executed(self, dag: str, path: str, known: Known, task: Mapping[str, Any]) -> None:
        """A container task's own pod: `executor`, tried again where the task has retries."""
        name, template = f"{dag}.executor", self.names.template(path)
        if known.cached:
            self._absent(name, template, "Skipped", known.ended, dag, "when 'true != true' evaluated false")
            self._follow(dag, name)
            self.leaves[dag] = [name]
            return
        tries = known.containers or [Container("", {}, known.begun, known.begun, known.ended, 0)]
        phase = tries[-1].phase
        last = ""
        if self.names.retried or "retryPolicy" in task:
            inputs = _parameters({"pod-spec-patch": json.dumps(tries[-1].pod.get("spec", {}))})
            message = (
                "" if phase != "Failed" else "No more retries left" if "retryPolicy" in task else self._why(tries[-1])
            )
            self._node(
                name, "Retry", template, phase, known.begun, tries[-1].ended, dag, inputs=inputs, message=message
            )
            self._follow(dag, name)
            for index, one in enumerate(tries):
                last = f"{name}({index})"
                self._container(last, template, one, dag)
                self._follow(name, last)
        else:
            last = name
            self._container(last, template, tries[-1], dag)
            self._follow(dag, name)
        self.leaves[dag] = [last]

    def _why(self, one: Container) -> str:
        if one.phase in ("Error", "Pending"):
            return one.message
        return _DEADLINE if one.message == "stopped" else "Error (exit code 1)" if one.phase == "Failed" else ""

    def _container(self, name: str, template: str, one: Container, dag: str) -> None:
        inputs = _parameters({"pod-spec-patch": json.dumps(one.pod.get("spec", {}))})
        outputs = {"exitCode": str(one.code or 0)} if one.ended else {}
        node = self._node(
            name,
            "Pod",
            template,
            one.phase,
            one.begun,
            one.ended,
            dag,
            inputs=inputs,
            outputs=outputs,
            message=self._why(one),
        )
        node |= {"hostNodeName": "a-node", "podName": one.name or self.names.pod_of(name, template)}
        node |= {"nodeFlag": {"retried": True}} if name.endswith(")") else {}

    def _importer(self, name: str, key: str, known: Known, task: Mapping[str, Any], dag: str) -> str:
        if known.state == "not-run":
            self._absent(name, "system-importer", "Omitted", known.ended, dag, _OMITTED)
            return name
        inputs = {"task": json.dumps(task), "task-name": key, "parent-dag-id": "1"}
        message = "Error (exit code 1)" if known.state == "failed" else ""
        self._pod(name, "system-importer", _PHASE[known.state], known.begun, known.ended, dag, inputs, {}, message)
        return name

    def _loop(
        self, name: str, path: str, task: Mapping[str, Any], component: Mapping[str, Any], known: Known, dag: str
    ) -> str:
        reference = task["componentRef"]["name"]
        template = f"{reference}-{path.rpartition('/')[2]}-iterator"
        if known.state == "not-run":
            self._absent(name, template, "Omitted", known.ended, dag, _OMITTED)
            return name
        skipped = known.state == "skipped"
        phase = "Succeeded" if skipped else _PHASE[known.state]
        loop = self._wrapped(
            name, "DAG", template, phase, known.begun, known.ended, dag, inputs=_parameters({"parent-dag-id": "1"})
        )
        driver, group = f"{loop}.iteration-driver", f"{loop}.iteration-iterations"
        inputs = {"component": json.dumps(component), "task": json.dumps(task), "task-name": path.rpartition("/")[2]}
        if known.refused:
            self._pod(
                driver, "system-dag-driver", "Failed", known.begun, known.ended, loop, inputs, {}, "Error (exit code 1)"
            )
            self._absent(group, f"{reference}-iteration", "Omitted", known.ended, loop, _OMITTED)
        else:
            outputs = {
                "execution-id": str(_execution(path)),
                "iteration-count": str(known.items or 0),
                "condition": str(not skipped).lower(),
            }
            self._pod(driver, "system-dag-driver", "Succeeded", known.begun, known.begun, loop, inputs, outputs)
            if skipped:
                self._absent(
                    group,
                    f"{reference}-iteration",
                    "Skipped",
                    known.ended,
                    loop,
                    "when 'false != false' evaluated false",
                )
            elif known.items == 0:
                self._absent(group, f"{reference}-iteration", "Skipped", known.ended, loop, "Skipped, empty params")
            else:
                self._node(group, "TaskGroup", f"{reference}-iteration", phase, known.begun, known.ended, loop)
                self._iterations(group, path, task, known, loop)
        self._follow(loop, driver)
        self._follow(self.leaves[driver][0], group)
        self.leaves[name] = self.leaves[group]
        return name

    def _iterations(self, group: str, path: str, task: Mapping[str, Any], known: Known, loop: str) -> None:
        leaves = []
        for index in range(known.items or 0):
            below = f"{path}/iteration-{index}"
            one = self.facts.tasks.get(below)
            if one is None or one.stopped:
                continue
            name, template = f"{group}({index}:{index})", f"{task['componentRef']['name']}-iteration"
            given = _parameters({"parent-dag-id": "1", "iteration-index": str(index)})
            inner = self._wrapped(name, "DAG", template, _PHASE[one.state], one.begun, one.ended, loop, inputs=given)
            self._follow(group, name)
            first = self._task(f"{inner}.iteration-item", below, path.rpartition("/")[2], task, inner, index)
            if first:
                self._follow(inner, first)
                leaves += self.leaves.get(f"{inner}.iteration-item", [first])
        self.leaves[group] = leaves or [group]


def _before(task: Mapping[str, Any]) -> list[str]:
    found = list(task.get("dependentTasks", []))
    for kind, producer in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        for one in task.get("inputs", {}).get(kind, {}).values():
            found += [one[producer]["producerTask"]] if producer in one else []
    return found


def _parameters(values: Mapping[str, str]) -> dict[str, Any]:
    return {"parameters": [{"name": key, "value": value} for key, value in values.items()]} if values else {}


def _execution(path: str) -> int:
    """A number as MLMD gives executions."""
    return uuid.uuid5(uuid.NAMESPACE_URL, path).int % 100000 + 2
