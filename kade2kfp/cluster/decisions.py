"""Decisions on a cluster: keys of the run's ConfigMap, which is mounted at /kade/gate in each of its gates.

Keys of a step begin with its name: `.decision`, `.by`, `.reason`, `.value-NAME` are what templates/gate.sh reads. `.once`
is ours: no two decisions have the same, so that of two made at the same time one is refused, even when they say the same
(server-side apply lets managers share a field while its value is equal).
"""

from __future__ import annotations

import secrets
from typing import Any

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import PASSING, RefusedError
from kade2kfp.cluster.requests import call
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision, Standing

_MOST = 1 << 20  # bytes of a ConfigMap's values (pkg/apis/core/validation, ValidateConfigMap)
_TRIES = 5


def files(decision: Decision, pod: str) -> dict[str, str]:
    """A decision as files, by name, the one that makes it count last. `pod` is the uid of the pod it is for."""
    named = {f"value-{name}": text for name, text in decision.values.items()}
    named["by"] = _line(decision.by)
    if decision.reason:
        named["reason"] = _line(decision.reason)
    return named | {"decision": f"{decision.verdict} {pod}"}


def made(cluster: Cluster, standing: Standing) -> Decision | None:
    """What has been decided for this start of the step; None where nothing has. Raises RefusedError."""
    return _made(_read(cluster, standing.run), standing)


def say(decision: Decision) -> str:
    """What was decided and by whom: `resumed by alice`."""
    verb = "resumed" if decision.verdict == "resume" else "rejected"
    return f"{verb} by {decision.by or 'somebody'}" + (f": {decision.reason}" if decision.reason else "")


def write(cluster: Cluster, standing: Standing, decision: Decision, owner: dict[str, str] | None) -> None:
    """Put a decision into the run's ConfigMap, which goes with `owner`.

    Raises CannotDoError: somebody has decided already (who), it is too large, the cluster refuses. Then nothing was written,
    or the text says that this is not known.
    """
    prefix, once = f"{standing.step}.", secrets.token_hex(8)
    data = {prefix + name: text for name, text in files(decision, standing.pod).items()} | {f"{prefix}once": once}
    for _ in range(_TRIES):
        found = _read(cluster, standing.run)
        first = _made(found, standing)
        if first is not None:
            raise CannotDoError(
                f"`{standing.task}` of run {standing.run} was decided already: {say(first)}", "a decision is final"
            )
        others = {key: text for key, text in _data(found).items() if not key.startswith(prefix)}
        _check_size(others, data)
        try:
            if stale := [key for key in _data(found) if key.startswith(prefix)]:
                _clear(cluster, standing.run, found, stale)
            _apply(cluster, standing, data, owner, once)
            return
        except RefusedError as error:
            if error.status in (0, *PASSING):
                if _arrived(cluster, standing, prefix, once):
                    return
                raise
            if error.status != 409:
                raise
    raise CannotDoError(f"the decisions of run {standing.run} change all the time", "try again")


def _line(text: str) -> str:
    """On one line, for the step reads no more than one."""
    return " ".join(text.split())


def _apply(cluster: Cluster, standing: Standing, data: dict[str, str], owner: dict[str, str] | None, once: str) -> None:
    # A manager of its own each time: what it does not name stays as it is, such as the keys of other gates, and what
    # another one has written is not overwritten (409) for want of `force`.
    manager = f"kade2kfp-{standing.step[:90]}-{once}"
    metadata: dict[str, Any] = {"name": standing.run, **({"ownerReferences": [owner]} if owner else {})}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    call(cluster, "apply", "configmaps", standing.run, query=[("fieldManager", manager)], body=body)


def _clear(cluster: Cluster, run: str, found: dict[str, Any], stale: list[str]) -> None:
    """Remove what was said to an earlier start of the step, unless the ConfigMap has changed meanwhile (409).

    A run that is retried keeps its id. Its old values must not stand beside a new decision that gives fewer.
    """
    version = (found.get("metadata") or {}).get("resourceVersion")
    body = {"metadata": {"resourceVersion": version}, "data": dict.fromkeys(stale)}
    call(cluster, "patch", "configmaps", run, body=body)


def _arrived(cluster: Cluster, standing: Standing, prefix: str, once: str) -> bool:
    """Whether our decision stands there although its answer was lost. Raises RefusedError where that is not known."""
    try:
        return _data(_read(cluster, standing.run)).get(f"{prefix}once") == once
    except RefusedError as error:
        raise RefusedError(
            f"whether the decision was written is not known: {error}",
            f"look with `kade2kfp gates {standing.run}`, then try again",
            status=error.status,
        ) from None


def _check_size(others: dict[str, str], data: dict[str, str]) -> None:
    try:
        ours = sum(len(text.encode()) for text in data.values())
    except UnicodeEncodeError:
        raise CannotDoError("a value holds half of a character, which is no text") from None
    taken = sum(len(text.encode()) for text in others.values())
    if ours + taken > _MOST:
        raise CannotDoError(
            f"the values are too large: {ours:,} bytes, and all decisions of a run together take at most {_MOST:,}",
            "put what is large into a file of the step or a volume, and give its path",
        )


def _read(cluster: Cluster, run: str) -> dict[str, Any]:
    try:
        return call(cluster, "get", "configmaps", run)
    except RefusedError as error:
        if error.status == 404:
            return {}
        raise


def _data(found: dict[str, Any]) -> dict[str, str]:
    data = found.get("data")
    return {key: text for key, text in data.items() if isinstance(text, str)} if isinstance(data, dict) else {}


def _made(found: dict[str, Any], standing: Standing) -> Decision | None:
    data, prefix = _data(found), f"{standing.step}."
    verdict, _, pod = data.get(f"{prefix}decision", "").strip().partition(" ")
    if pod != standing.pod or verdict not in ("resume", "reject"):
        return None
    return Decision(
        "resume" if verdict == "resume" else "reject",
        data.get(f"{prefix}by", ""),
        reason=data.get(f"{prefix}reason", ""),
    )
