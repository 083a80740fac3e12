"""What a KFP, and the Kubernetes below it, has and lacks: findings, each with what to do. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.client import Kfp, ask, numbers_of
from kade2kfp.cluster.kfp.kubernetes import Right, allowed, read
from kade2kfp.cluster.kfp.needs import look, storage_classes
from kade2kfp.cluster.kfp.versions import KNOWN, later
from kade2kfp.cluster.roles import Needs, roles
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.plan.needs import Need

State = Literal["ok", "warn", "fail"]
ACCOUNT = "pipeline-runner"
_STATES: dict[str, State] = {"there": "ok", "missing": "fail", "unknown": "warn"}
_STORE = (
    "mlpipeline-minio-artifact"  # manifests/kustomize: the secret that KFP's launcher reads (objectstore/config.go)
)
_STORE_KEYS = ("accesskey", "secretkey")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `check` is a word for machines; `help` says what to do where it is not ok."""

    state: State
    check: str
    text: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What somebody wants to do, what it takes, and what to do where that is not allowed."""

    check: str
    words: str
    rights: tuple[Right, ...]
    help: str


_RBAC = "somebody who may has to grant it: `kade2kfp rbac` prints the roles"
_NEEDS = Needs(kserve=False, kubeflow=False)  # a cluster may be without these, and be fit
_ROLES = {role.name: role for role in roles(_NEEDS, ACCOUNT, (), (), ())}


def _purpose_of(role: str, check: str, words: str) -> Purpose:
    """What a role of `kade2kfp rbac` is for, and the rights that it gives."""
    rights = [
        Right(verb, resource, rule.group)
        for rule in _ROLES[role].rules
        for resource in rule.resources
        for verb in rule.verbs
    ]
    return Purpose(check, words, tuple(dict.fromkeys(rights)), _RBAC)


PURPOSES = (
    _purpose_of("kade2kfp-deciders", "gates", "decide gates (gates, resume, reject)"),
    _purpose_of(
        "kade2kfp-users", "use", "reach tasks that run, viewers and servings (open, ssh, viewer, serving, predict)"
    ),
    _purpose_of("kade2kfp-maintainers", "maintain", "delete viewers and servings, and roll them back"),
)
"""What the commands ask of Kubernetes."""
STEPS = _purpose_of("kade2kfp-steps", "steps", "leave viewers and servings running")
"""What steps of viewers and servings ask, as the service account of runs."""


def of_kfp(kfp: Kfp, ir: str | None) -> Iterator[Finding]:
    """What KFP itself tells; with a compiled pipeline what of it does not work there."""
    yield from _version(kfp, ir)
    place = f"in namespace {kfp.namespace}" if kfp.namespace else "in the one namespace that it has"
    yield _listed(kfp, "runs", place, _runs)
    yield _listed(kfp, "experiments", place, _experiments)
    yield _listed(kfp, "pipelines", place, _pipelines)


def of_kubernetes(cluster: Cluster, needs: Mapping[Need, tuple[str, ...]], account: str = ACCOUNT) -> Iterator[Finding]:
    """What the Kubernetes below tells. Stops at the first question that nobody answers."""
    try:
        yield from _rights(cluster, account)
        yield from _storage(cluster)
        yield from _store(cluster)
        for one in look(cluster, needs):
            where = f" ({', '.join(one.tasks)})" if one.tasks else ""
            state = _STATES[one.state]
            text = f"{one.need}{where}" + (f": {one.reason}" if one.reason else "")
            help_ = "a run would wait for it for ever: make it, or change the document" if state == "fail" else ""
            yield Finding(state, "needs", text, help_)
    except RefusedError as error:
        yield Finding("fail", "kubernetes", str(error), error.help)


def _version(kfp: Kfp, ir: str | None) -> Iterator[Finding]:
    numbers = numbers_of(kfp.version)
    who = f"{kfp.target.address}, with several users" if kfp.multi_user else kfp.target.address
    if numbers is None:
        said = f"its version is `{kfp.version[:40]}`" if kfp.version else "it does not say its version"
        yield Finding("warn", "version", f"KFP at {who}: {said}", "best is 2.17; what older ones lack, cannot be told")
        return
    missing = later(numbers, ir)
    if numbers > KNOWN:
        yield Finding("warn", "version", f"KFP {kfp.version} at {who}: later than 2.17, which all here is made for")
    else:
        yield Finding("ok", "version", f"KFP {kfp.version} at {who}")
    for since, words in missing:
        whose = "the pipeline needs" if ir is not None else "it lacks"
        text = f"{whose} {words}: KFP has that from {since[0]}.{since[1]} on"
        yield Finding("fail" if ir is not None else "warn", "features", text, "update KFP, or do without it")


def _listed(kfp: Kfp, what: str, place: str, call: Callable[[Any, str], Any]) -> Finding:
    try:
        ask(kfp, f"list {what}", lambda client: call(client, kfp.namespace))
        return Finding("ok", what, f"you may list {what} {place}")
    except CannotDoError as error:
        return Finding("fail", what, str(error), error.help)


def _runs(client: Any, namespace: str) -> Any:
    return client._run_api.run_service_list_runs(namespace=namespace, page_size=1)


def _experiments(client: Any, namespace: str) -> Any:
    return client._experiment_api.experiment_service_list_experiments(namespace=namespace, page_size=1)


def _pipelines(client: Any, namespace: str) -> Any:
    return client._pipelines_api.pipeline_service_list_pipelines(namespace=namespace, page_size=1)


def _rights(cluster: Cluster, account: str) -> Iterator[Finding]:
    place = f"in namespace {cluster.namespace}"
    known: dict[Right, bool | None] = {}
    for purpose in PURPOSES:
        for right in purpose.rights:
            if right not in known:
                known[right] = allowed(cluster, right)
        yield _purpose(purpose, "you", known, place)
    answers = {}
    for right in STEPS.rights:
        answers[right] = allowed(cluster, right, account)
        if answers[right] is None:
            text = f"whether steps may {STEPS.words} {place}, only an administrator can ask"
            yield Finding(
                "warn", "steps", text, f"kubectl auth can-i --as system:serviceaccount:{cluster.namespace}:{account}"
            )
            return
    yield _purpose(STEPS, f"steps (service account {account})", answers, place)


def _purpose(purpose: Purpose, who: str, answers: Mapping[Right, bool | None], place: str) -> Finding:
    missing = [str(right) for right in purpose.rights if answers[right] is False]
    if missing:
        return Finding(
            "warn", purpose.check, f"{who} may not {purpose.words} {place}: missing {', '.join(missing)}", purpose.help
        )
    if any(answers[right] is None for right in purpose.rights):
        return Finding("warn", purpose.check, f"the cluster does not say whether {who} may {purpose.words} {place}")
    return Finding("ok", purpose.check, f"{who} may {purpose.words} {place}")


def _storage(cluster: Cluster) -> Iterator[Finding]:
    try:
        found = read(cluster, "storageclasses", group="storage.k8s.io")
    except RefusedError as error:
        if error.status != 403:
            raise
        yield Finding("warn", "storage", "you may not list storage classes", "`create` of a volume needs one")
        return
    classes = storage_classes(found or {})
    default = [name for name, is_default in classes.items() if is_default]
    if not classes:
        yield Finding("warn", "storage", "there is no storage class", "volumes with `create` cannot be made")
    elif not default:
        names = ", ".join(classes)
        yield Finding("warn", "storage", f"no storage class is the default: {names}", "name one by `storageClassName`")
    else:
        names = ", ".join(f"{name} (default)" if name in default else name for name in classes)
        yield Finding("ok", "storage", f"storage classes: {names}")


def _store(cluster: Cluster) -> Iterator[Finding]:
    where = f"in namespace {cluster.namespace}"
    try:
        found = read(cluster, "secrets", _STORE)
    except RefusedError as error:
        if error.status != 403:
            raise
        yield Finding("warn", "store", f"you may not look for the object store's secret {_STORE} {where}")
        return
    if found is None:
        yield Finding(
            "warn",
            "store",
            f"there is no secret {_STORE} {where}",
            "KFP's own object store needs it; another one is named by the config map kfp-launcher",
        )
        return
    missing = [key for key in _STORE_KEYS if key not in (found.get("data") or {})]
    if missing:
        yield Finding(
            "fail", "store", f"the secret {_STORE} {where} has no {', '.join(missing)}", "look at KFP's manifests"
        )
    else:
        yield Finding("ok", "store", f"the object store's secret {_STORE} is there")
