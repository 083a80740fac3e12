"""Viewers and servings on a cluster, as the commands ask for them (services/model.py)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kade2kfp.cluster import pods
from kade2kfp.cluster.connect import Cluster, connect
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.forward import forward
from kade2kfp.cluster.requests import call, log, pages, served
from kade2kfp.cluster.rollback import roll_back
from kade2kfp.cluster.service_objects import (
    KIND,
    REPLICAS,
    RESOURCES,
    RUN,
    VERSION,
    container,
    read,
    ready,
    replicas,
    selector,
    settled,
    trouble,
)
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.services.model import Kind, ServiceView

_log = logging.getLogger(__name__)


def cluster_services(context: str | None, namespace: str | None) -> ClusterServices:
    """The services in a namespace of the kubeconfig's cluster (connect.py). Raises CannotDoError."""
    return ClusterServices(connect(context, namespace))


@dataclass(frozen=True, slots=True)
class ClusterServices:
    """The services of a cluster's namespace; a run is called by its id in KFP."""

    cluster: Cluster

    def all(self, kind: Kind, run: str | None = None) -> Sequence[ServiceView]:
        """All services of a kind, of one run or of all, the oldest first. Viewers whose time is over are removed, where we may."""
        if run is not None and not pods.is_label(run):
            return ()
        labels = f"{KIND}={kind}" + (f",{RUN}={run}" if run is not None else "")
        found = []
        for resource in RESOURCES[kind]:
            for one in self._objects(resource, labels):
                view = read(kind, resource, one, self.cluster.namespace)
                if view is not None and not self._swept(view):
                    found.append(view if _is_well(view, one) else self._explained(view))
        return sorted(found, key=lambda one: (one.since, one.name))

    def find(self, kind: Kind, run: str, task: str) -> ServiceView:
        """The service of a task, by the task's id, the step's name or the service's name. Raises CannotDoError.

        `run` is a run, or, for a serving, the pipeline's slug or the service's name too.
        """
        every = self.all(kind)
        there = [one for one in every if run == one.run or (kind == "serving" and run in (one.pipeline, one.name))]
        named = [one for one in there if task in (one.step, one.name)] or [one for one in there if one.task == task]
        if len(named) == 1:
            return named[0]
        if named:
            steps = ", ".join(f"`{one.step}`" for one in named)
            raise CannotDoError(f"`{task}` has {len(named)} {kind}s: {steps}", "name one of them in its place")
        place = f"in namespace `{self.cluster.namespace}`"
        if there:
            raise CannotDoError(
                f"{run} has no {kind} `{task}` {place}",
                did_you_mean(task, [one.task for one in there], noun=f"{kind}s"),
            )
        if kind == "viewer":
            help_ = did_you_mean(run, [one.run for one in every], noun="runs with a viewer")
            raise CannotDoError(f"run {run} has no viewers {place}: they go when their time to live is over", help_)
        known = {name for one in every for name in (one.run, one.pipeline)}
        raise CannotDoError(
            f"neither a run nor a pipeline {run} has a serving {place}", did_you_mean(run, known, noun="servings")
        )

    def pause(self, view: ServiceView) -> str:
        """Scale it to nothing, and keep all else; of a serving it is kept how many it were."""
        if view.state == "paused":
            return f"`{view.task}` is paused already"
        name = _deployment(view, "paused")
        if view.kind == "serving":
            self._keep_count(name)
        self._scale(name, 0)
        return f"`{view.task}` is paused: nothing of it runs, and it can be resumed"

    def resume(self, view: ServiceView) -> str:
        """Scale it to what it was before it was paused."""
        if view.state not in ("paused", "stopped"):
            return f"`{view.task}` is not paused: it is {view.state}"
        name = _deployment(view, "resumed")
        count = "1"
        if view.kind == "serving":
            count = pods.metadata(call(self.cluster, "get", "deployments", name), "annotations", REPLICAS)
        self._scale(name, int(count) if count.isdecimal() and int(count[:5]) > 0 else 1)
        return f"`{view.task}` is resumed: it answers as soon as its pod is ready"

    def delete(self, view: ServiceView) -> str:
        """Remove it and what belongs to it. What is on volumes stays."""
        self._delete(view)
        return f"`{view.task}` is deleted" + ("; its versions stay on the volume" if view.kind == "serving" else "")

    def rollback(self, view: ServiceView, version: str | None, seconds: float) -> str:
        """Let an earlier version answer again, the one before the present if none is named; waits so long at most."""
        if view.handle.startswith("inferenceservices/"):
            raise CannotDoError(
                f"`{view.task}` is an InferenceService, of which Kubernetes keeps no former version",
                "run the pipeline of that version again: its new run deploys it",
            )
        return roll_back(self.cluster, view, version, seconds)

    @contextmanager
    def reach(self, view: ServiceView, local: int | None = None) -> Iterator[int]:
        """Its port on this machine's loopback (at `local`, if that is given) while the block lasts. Raises CannotDoError."""
        if view.state == "paused":
            raise CannotDoError(
                f"`{view.task}` is paused: nothing of it runs", f"`kade2kfp {view.kind} resume` starts it"
            )
        if not view.port:
            raise CannotDoError(f"`{view.task}` does not say which port it has", "its annotation kade2kfp/port is gone")
        found = [pod for pod in self._pods(view) if ready(pod)]
        if not found:
            problem = self._explained(view).problem
            raise CannotDoError(f"`{view.task}` has no pod that is ready" + (f": {problem}" if problem else ""))
        with forward(self.cluster, pods.field(found[0], "name"), view.port, local) as here:
            yield here

    def log(self, view: ServiceView, lines: int) -> Sequence[str]:
        """The last lines that its newest pod has printed. Raises CannotDoError."""
        if not (found := self._pods(view)):
            raise CannotDoError(f"`{view.task}` has no pod, and so no log", "its log goes with its pod")
        query = [("container", container(found[0])), ("tailLines", str(lines))]
        return log(self.cluster, pods.field(found[0], "name"), query).splitlines()[-lines:]

    def _objects(self, resource: str, labels: str) -> list[dict[str, Any]]:
        """Those with these labels; none where the cluster has no such resource. Raises RefusedError."""
        try:
            return list(pages(self.cluster, resource, labels))
        except RefusedError as error:
            if resource == "deployments" or error.status not in (403, 404):
                raise
            if error.status == 403 and served(self.cluster, resource):
                _log.warning("%s; those are not among what is listed (%s)", terminal(str(error)), terminal(error.help))
            return []

    def _swept(self, view: ServiceView) -> bool:
        """Whether its time is over and it has been removed. Who may not remove it does not hear of that."""
        if view.kind != "viewer" or view.until is None or view.until > time.time():
            return False
        try:
            self._delete(view)
        except RefusedError as error:
            if error.status != 403:
                raise
            return False
        return True

    def _explained(self, view: ServiceView) -> ServiceView:
        """With what its pods say, where they may be seen, of why it is not as it ought to be."""
        try:
            found = [pod for pod in self._pods(view) if not ready(pod)]
        except RefusedError:
            return view
        said = [trouble(pod) for pod in found]
        bad = next((text for hopeless, text in said if hopeless), "")
        problem = bad or view.problem or next((text for _, text in said if text), "")
        if view.state == "running" and problem:
            return replace(view, problem=f"another version does not get ready: {problem}" if view.version else problem)
        return replace(view, state="failing" if bad and view.state == "starting" else view.state, problem=problem)

    def _pods(self, view: ServiceView) -> list[dict[str, Any]]:
        """Its pods, those of the version that answers first, then the newest."""
        found = list(pages(self.cluster, "pods", selector(view)))
        found.sort(key=lambda pod: pods.field(pod, "creationTimestamp"), reverse=True)
        found.sort(key=lambda pod: pods.metadata(pod, "labels", VERSION) != view.version)
        return found

    def _keep_count(self, name: str) -> None:
        found = call(self.cluster, "get", "deployments", name)
        count, kept = str(replicas(found)), pods.metadata(found, "annotations", REPLICAS)
        if count != (kept or "1"):
            body = {"metadata": {"annotations": {REPLICAS: count}}}
            try:
                call(self.cluster, "patch", "deployments", name, body=body)
            except RefusedError as error:
                if error.status != 403:  # who may only scale pauses it all the same; it is resumed as one
                    raise

    def _scale(self, name: str, count: int) -> None:
        call(self.cluster, "patch", "deployments/scale", name, body={"spec": {"replicas": count}})

    def _delete(self, view: ServiceView) -> None:
        """The Deployment first: who may not delete it has changed nothing. Raises RefusedError."""
        resource, _, name = view.handle.partition("/")
        others = ["services"] if resource == "deployments" else []
        others += ["horizontalpodautoscalers"] if others and view.kind == "serving" else []
        for one in (resource, *others):
            try:
                call(self.cluster, "delete", one, name, query=[("propagationPolicy", "Background")])
            except RefusedError as error:
                if error.status != 404:
                    raise


def _is_well(view: ServiceView, found: Mapping[str, Any]) -> bool:
    return view.state == "paused" or (
        settled(found) if view.handle.startswith("deployments/") else view.state == "running"
    )


def _deployment(view: ServiceView, verb: str) -> str:
    """The name of its Deployment. Raises CannotDoError where it is something else, which its own controller scales."""
    resource, _, name = view.handle.partition("/")
    if resource == "inferenceservices":
        raise CannotDoError(f"`{view.task}` is an InferenceService, which cannot be {verb}", "KServe itself scales it")
    if resource == "tensorboards":
        raise CannotDoError(
            f"`{view.task}` is Kubeflow's Tensorboard, which cannot be {verb}", "delete it; the next run makes it again"
        )
    return name
