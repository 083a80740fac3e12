"""What follows a decision: the step's pod is told at once, and it is waited until its gate has closed."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from kade2kfp.cluster import pods
from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.decisions import files, say
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.execute import run
from kade2kfp.cluster.requests import call
from kade2kfp.gates.model import Decision, Standing

_RUN = "/kade/run"
_STATE = f'IFS= read -r state <{_RUN}/state && printf %s "$state"'
# The size is known beforehand, for exec cannot end what it sends; nobody may see half a file.
_WRITE = (
    f"""cd {_RUN} && umask 077 && if [ "$2" = 0 ]; then : >".$1"; else head -c "$2" >".$1"; fi && mv -f ".$1" "$1\""""
)


def hurry(cluster: Cluster, standing: Standing) -> None:
    """Let kubelet look at the pod, and so bring the ConfigMap into it, at once: a change of an annotation does that.

    Without the permission it takes as long as it takes.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        call(cluster, "patch", "pods", standing.handle, body={"metadata": {"annotations": {"kade2kfp/decided": now}}})
    except RefusedError:
        return


def wait(cluster: Cluster, standing: Standing, decision: Decision, seconds: float) -> str:
    """Wait until a decided gate has closed, at most `seconds`; after the cluster's `patience` it is told by exec, too.

    Returns one sentence that says how it went. A failing network is no error: the decision stands.
    """
    name, began = f"`{standing.task}`", time.monotonic()
    told, untold, pause = False, "", 0.2
    quick = replace(cluster, pause=0.1, read=min(cluster.read, max(seconds, 1.0)))
    while True:
        try:
            trouble = ""
            if ended := _ended(quick, standing, decision):
                return ended
        except RefusedError as error:
            trouble = str(error)
        passed = time.monotonic() - began
        if passed >= cluster.patience and not told and passed < seconds:
            told = True
            try:
                _tell(quick, standing, decision)
            except RefusedError as error:
                untold = str(error)
        if passed + pause > seconds:
            break
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)
    why = f" ({trouble or untold})" if trouble or untold else ""
    return (
        f"{name} is {say(decision)}: written down, but the step had not closed after {seconds:g} s{why}; "
        "it will when the cluster has brought the decision into its pod, within about two minutes"
    )


def _ended(cluster: Cluster, standing: Standing, decision: Decision) -> str:
    """How the gate has closed; empty while it has not."""
    name = f"`{standing.task}`"
    try:
        pod = call(cluster, "get", "pods", standing.handle)
    except RefusedError as error:
        if error.status == 404:
            return f"{name} is {say(decision)}; its pod is gone"
        raise
    if pods.field(pod, "uid") != standing.pod:
        return f"{name} was {say(decision)}, but its pod has been replaced by another, which waits anew"
    state, said = pods.state(pod)
    if state == "terminated":
        # KFP's launcher makes 1 of every other code (lowering.md).
        well = decision.verdict == "resume" or standing.on_reject == "route"
        if (said.get("exitCode") == 0) == well:
            return f"{name} is {say(decision)}; the step has ended"
        return (
            f"{name} was {say(decision)}, but the step ended with code {said.get('exitCode', 'unknown')}: see its log"
        )
    try:
        word = run(cluster, standing.handle, ["sh", "-c", _STATE], seconds=5.0)
    except RefusedError:  # it may be forbidden, or the container about to end
        return ""
    told = word.out.decode(errors="replace").strip() if word.code == 0 else ""
    if told == decision.verdict:
        return f"{name} is {say(decision)}; the gate has closed"
    if told in ("resume", "reject", "exited", "failed", "terminated"):
        return f"{name} had closed by itself meanwhile ({told}): the decision came too late"
    return ""


def _tell(cluster: Cluster, standing: Standing, decision: Decision) -> None:
    """Leave the decision in the pod itself, values first. Raises RefusedError."""
    for name, text in files(decision, standing.pod).items():
        data = text.encode() + (b"" if name.startswith("value-") else b"\n")
        words = ["sh", "-c", _WRITE, "sh", name, str(len(data))]
        ran = run(cluster, standing.handle, words, data)
        if ran.code:
            raise RefusedError(f"could not write the decision into pod {standing.handle}: {ran.err.strip()[:200]}")
