"""An earlier version of a serving: the pod template of its ReplicaSet, which Kubernetes keeps, is applied again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from kade2kfp.cluster import pods
from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.managed import managed
from kade2kfp.cluster.requests import call, pages
from kade2kfp.cluster.service_objects import (
    VERSION,
    VERSIONS,
    at,
    good_versions,
    ready,
    replicas,
    selector,
    settled,
    stuck,
    trouble,
    wanted_version,
)
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.services.model import ServiceView

MANAGER = "kade2kfp"
"""Who applies services, in steps and here alike: so that a field which the one no longer names goes, whoever set it."""
_HASH = "pod-template-hash"  # the Deployment's controller adds it (its documentation, "Pod-template-hash label")
_REVISION = "deployment.kubernetes.io/revision"
_KEPT = 5
_TRIES = 5
_FIRST_LOOK, _LOOK = 0.2, 2.0
_LOOKS_IN_DOUBT = 4


def roll_back(cluster: Cluster, view: ServiceView, version: str | None, seconds: float) -> str:
    """Let a Deployment's version answer again, the one before the present if none is named; wait so long at most.

    Returns one sentence. Raises CannotDoError where it does not answer: then the present template has been put back, unless
    the text says otherwise.
    """
    name = view.name
    found = call(cluster, "get", "deployments", name)
    present = wanted_version("deployments", found)
    meant = _meant(view, found, present, version)
    sets = [one for one in pages(cluster, "replicasets", selector(view)) if _owned(one, found)]
    template, former = _template(sets, meant), _plain(at(found, "spec", "template") or {})
    if template is None:
        raise CannotDoError(
            f"version {meant} of `{view.task}` is not kept by Kubernetes any more",
            "run the pipeline of that version again: its new run deploys it",
        )
    _put(cluster, name, template, expected=present)
    if replicas(found) == 0:
        _note(cluster, name, meant)
        return f"`{view.task}` is paused; when it is resumed, version {meant} answers"
    why = _waited(cluster, view, meant, seconds)
    if why is None:
        _note(cluster, name, meant)
        return f"version {meant} of `{view.task}` answers again"
    _put(cluster, name, former, expected=meant)
    raise CannotDoError(
        f"version {meant} of `{view.task}` has not got ready: {why}", f"nothing has changed: version {present} is kept"
    )


def _meant(view: ServiceView, found: Mapping[str, Any], present: str, version: str | None) -> str:
    """The version that is meant. Raises CannotDoError. A version begins with its time: the later one is the greater text."""
    known = [one for one in good_versions(found) if one != present]
    if version is None:
        earlier = [one for one in known if one < present]
        if not earlier:
            raise CannotDoError(
                f"`{view.task}` has no version before {present or 'the present one'}",
                f"later ones: {', '.join(sorted(known))}; name one" if known else "",
            )
        return max(earlier)
    if version == present:
        raise CannotDoError(f"version {version} of `{view.task}` is the present one already")
    if version not in known:
        raise CannotDoError(
            f"`{view.task}` has no version {version} that was ever ready", did_you_mean(version, known, noun="versions")
        )
    return version


def _owned(one: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    owners = at(one, "metadata", "ownerReferences")
    uid = pods.field(found, "uid")
    return any(at(owner, "uid") == uid for owner in (owners if isinstance(owners, list) else []))


def _template(sets: list[dict[str, Any]], version: str) -> dict[str, Any] | None:
    """The pod template of a version, the last one that it had; None where it is not kept."""
    fitting = [one for one in sets if pods.metadata(at(one, "spec", "template") or {}, "labels", VERSION) == version]
    if not fitting:
        return None
    return _plain(at(max(fitting, key=_revision), "spec", "template"))


def _plain(template: Mapping[str, Any]) -> dict[str, Any]:
    """A template as one would write it: without what Kubernetes has added to its metadata."""
    metadata = {key: value for key, value in (at(template, "metadata") or {}).items() if key != "creationTimestamp"}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _revision(one: Mapping[str, Any]) -> int:
    text = pods.metadata(one, "annotations", _REVISION)
    return int(text) if text.isdecimal() else 0


def _put(cluster: Cluster, name: str, template: Mapping[str, Any], *, expected: str) -> None:
    """Apply a template, unless the version is another than expected by now. Raises CannotDoError."""
    wanted = pods.metadata(template, "labels", VERSION)
    for _ in _tries():
        found = call(cluster, "get", "deployments", name)
        present = wanted_version("deployments", found)
        if present not in (expected, wanted):
            raise _overtaken(present)
        ours = managed(found, MANAGER)
        body = {**ours, "apiVersion": "apps/v1", "kind": "Deployment"}
        body["metadata"] = {**(at(ours, "metadata") or {}), "name": name, **_unchanged(found)}
        body["spec"] = {**(at(ours, "spec") or {}), "template": template}
        if _sent(cluster, "apply", name, [("fieldManager", MANAGER), ("force", "true")], body):
            return


def _note(cluster: Cluster, name: str, version: str) -> None:
    """Write down that a version is ready: it stands first now. What a run fails with then, comes back to it.

    The list is no part of what is applied (templates/apply.py): it would go with the next run's.
    """
    for _ in _tries():
        found = call(cluster, "get", "deployments", name)
        if wanted_version("deployments", found) != version:
            return
        kept = [version, *(one for one in good_versions(found) if one != version)][:_KEPT]
        metadata = {**_unchanged(found), "annotations": {VERSIONS: " ".join(kept)}}
        if _sent(cluster, "patch", name, [("fieldManager", MANAGER)], {"metadata": metadata}):
            return


def _tries() -> Iterator[None]:
    """Somebody else may write at the same time; so often that it is never our turn, nobody does."""
    for _ in range(_TRIES):
        yield
    raise CannotDoError("somebody else changes the serving all the time", "try again later")


def _unchanged(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"resourceVersion": at(found, "metadata", "resourceVersion")}


def _sent(cluster: Cluster, verb: str, name: str, query: list[tuple[str, str]], body: dict[str, Any]) -> bool:
    """Whether a change was made: not where the Deployment was changed since it was read. Raises RefusedError."""
    try:
        call(cluster, verb, "deployments", name, query=query, body=body)
    except RefusedError as error:
        if error.status != 409:
            raise
        return False
    return True


def _overtaken(present: str) -> CannotDoError:
    return CannotDoError(f"another run has deployed version {present} meanwhile", "look at it, then try again")


def _waited(cluster: Cluster, view: ServiceView, version: str, seconds: float) -> str | None:
    """None as soon as a version answers; else why it does not, after so many seconds or when its Deployment gives up."""
    until, pause, given_up = time.monotonic() + seconds, _FIRST_LOOK, 0
    while True:
        found = call(cluster, "get", "deployments", view.name)
        if (present := wanted_version("deployments", found)) != version:
            raise _overtaken(present)
        if settled(found):
            return None
        observed = at(found, "status", "observedGeneration") == at(found, "metadata", "generation")
        why = stuck(found) if observed else ""
        given_up = given_up + 1 if why else 0
        # What Kubernetes says of the version before stays for some moments (pkg/controller/deployment/progress.go).
        if given_up > _LOOKS_IN_DOUBT:
            return _why(cluster, view, version) or why
        if time.monotonic() + pause > until:
            return _why(cluster, view, version) or f"nothing is known after {seconds:g} s"
        time.sleep(pause)
        pause = min(pause * 1.5, _LOOK)


def _why(cluster: Cluster, view: ServiceView, version: str) -> str:
    """What keeps a version's pods; empty where they do not say, or may not be seen."""
    try:
        found = list(pages(cluster, "pods", f"{selector(view)},{VERSION}={version}"))
    except RefusedError:
        return ""
    return next((text for pod in found if not ready(pod) and (text := trouble(pod)[1])), "")
