"""Gates on a cluster, as the commands ask for them (gates/model.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from kade2kfp.cluster import closing, decisions, pods
from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.execute import run as execute
from kade2kfp.cluster.forward import forward
from kade2kfp.cluster.missing import absent, ended, not_begun
from kade2kfp.cluster.requests import call, pages
from kade2kfp.cluster.shell import shell
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision, Standing

_NO_FILE = 44
_READ = f'if [ -f "$1" ]; then exec cat "$1"; fi; exit {_NO_FILE}'
_MESSAGE_FILE = "/kade/run/message"


@dataclass(frozen=True, slots=True)
class ClusterGates:
    """The gates of a cluster's runs; a run is called by its id in KFP."""

    cluster: Cluster

    def waiting(self, run: str | None) -> Sequence[Standing]:
        """The gates that wait at this moment, of one run or of all, the oldest first."""
        if run is not None and not pods.is_label(run):
            return ()
        labels = pods.GATE if run is None else f"{pods.RUN}={run},{pods.GATE}"
        found = [pods.standing(pod) for pod in pages(self.cluster, "pods", labels) if pods.runs(pod)]
        return [self._with_message(one) for one in sorted(found, key=lambda one: (one.since, one.run, one.step))]

    def find(self, run: str, task: str, *, gate: bool = True) -> Standing:
        """The step of a task that runs, by the task's id or the step's name. Raises CannotDoError, which says why there is none."""
        pod = self._pod(run, task)
        if gate and not pods.is_gate(pod):
            raise CannotDoError(
                f"`{task}` does not wait for a person", "its `advance` is auto, or it is of another type"
            )
        standing = pods.standing(pod)
        state = pods.state(pod)[0]
        if state == "waiting":
            raise not_begun(standing, pod)
        decided = self._decided(standing) if pods.is_gate(pod) and (gate or state == "terminated") else None
        if not pods.runs(pod):
            raise ended(standing, pod, decided)
        if gate and decided is not None:
            raise CannotDoError(
                f"`{task}` of run {run} was decided already: {decisions.say(decided)}", "a decision is final"
            )
        return self._with_message(standing)

    def who(self) -> str:
        """Who the cluster takes us for; where it does not tell, what the kubeconfig says, marked as unverified."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = call(self.cluster, "create", "selfsubjectreviews", body=body)
        except RefusedError as error:
            if error.status not in (403, 404, 405):  # Kubernetes below 1.28 has no such review
                raise
            return f"{self.cluster.user or 'somebody'} (unverified)"
        user = _object(_object(answer.get("status")).get("userInfo")).get("username")
        return user if isinstance(user, str) and user else f"{self.cluster.user or 'somebody'} (unverified)"

    def decide(self, standing: Standing, decision: Decision, seconds: float) -> str:
        """Hand a decision over, unless somebody was first, and wait until the gate has closed, at most so long.

        Returns one sentence for the user. Raises CannotDoError where nothing was decided.
        """
        try:
            pod = call(self.cluster, "get", "pods", standing.handle)
        except RefusedError as error:
            if error.status == 404:
                raise CannotDoError(f"`{standing.task}` of run {standing.run} has ended: its pod is gone") from None
            raise
        if pods.field(pod, "uid") != standing.pod:
            raise CannotDoError(
                f"`{standing.task}` of run {standing.run} has been started anew", "look at what it asks now"
            )
        if not pods.runs(pod):
            raise ended(standing, pod, self._decided(standing))
        decisions.write(self.cluster, standing, decision, pods.owner(pod))
        closing.hurry(self.cluster, standing)
        return closing.wait(self.cluster, standing, decision, seconds)

    def read(self, standing: Standing, path: str) -> bytes | None:
        """A small file of the step's; None where there is none."""
        return self._file(standing, path)

    def forward(self, standing: Standing, port: int, local: int | None = None) -> AbstractContextManager[int]:
        """A port of the step on this machine's loopback (at `local`, if that is given) while the block lasts."""
        return forward(self.cluster, standing.handle, port, local)

    def shell(self, standing: Standing, command: Sequence[str]) -> int:
        """Run a command in the step with this terminal; its exit code."""
        return shell(self.cluster, standing.handle, command)

    def _pod(self, run: str, task: str) -> dict[str, Any]:
        """The pod of a task: the one that runs, else the last."""
        found = list(self._steps(run))
        named = [pod for pod in found if task in (pods.task_of(pod), pods.metadata(pod, "labels", pods.STEP))]
        if not named:
            raise absent(self.cluster, run, task, found)
        return max(named, key=lambda pod: (pods.runs(pod), pods.field(pod, "creationTimestamp")))

    def _steps(self, run: str) -> Iterator[dict[str, Any]]:
        if pods.is_label(run):
            yield from pages(self.cluster, "pods", f"{pods.RUN}={run},{pods.STEP}")

    def _file(self, standing: Standing, path: str, seconds: float = 20.0) -> bytes | None:
        ran = execute(self.cluster, standing.handle, ["sh", "-c", _READ, "sh", path], seconds=seconds)
        if ran.code == _NO_FILE:
            return None
        if ran.code:
            raise CannotDoError(f"could not read {path} in pod {standing.handle}", ran.err.strip()[:300])
        return ran.out

    def _decided(self, standing: Standing) -> Decision | None:
        """What was decided; None also where we may not see it."""
        try:
            return decisions.made(self.cluster, standing)
        except RefusedError as error:
            if error.status == 403:
                return None
            raise

    def _with_message(self, standing: Standing) -> Standing:
        """With the message, from the pod where it has values of the run; without where that cannot be read."""
        if standing.message or not standing.waits:
            return standing
        try:
            text = self._file(standing, _MESSAGE_FILE, seconds=5.0) or b""
        except CannotDoError:
            return standing
        return replace(standing, message=text.decode(errors="replace").strip())


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
