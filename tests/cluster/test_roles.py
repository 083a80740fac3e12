"""What the printed roles allow is what the commands ask a cluster for: nothing is missing, and nothing is never used."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import pytest

from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.cluster.roles import Needs, Role, roles
from kade2kfp.cluster.services import ClusterServices
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision

from .api import Api
from .box import Pod
from .conftest import RUN
from .deployed import V1, V2, custom, serving, viewer

Allowed = set[tuple[str, str, str]]
FOR_ALL = {"selfsubjectreviews", "selfsubjectaccessreviews"}
"""Whoever is logged in may create them (the ClusterRole system:basic-user)."""


def allowed(role: Role) -> Allowed:
    return {(rule.group, one, verb) for rule in role.rules for one in rule.resources for verb in rule.verbs}


def by_name(needs: Needs | None = None) -> dict[str, Role]:
    return {role.name: role for role in roles(needs or Needs(), "pipeline-runner", (), (), ())}


def used(api: Api) -> Allowed:
    found = {one for one in api.used if one[1] not in FOR_ALL}
    api.used.clear()
    return found


@contextlib.contextmanager
def refused() -> Iterator[None]:
    with contextlib.suppress(CannotDoError):
        yield


def decides(gates: ClusterGates, api: Api, pod: Callable[..., Pod]) -> None:
    """All that `gates`, `resume` and `reject` do: a message with values, a decision that is slow to arrive, one anew."""
    pod("review", message="")
    gates.waiting(None)
    with refused():
        gates.find(RUN, "not-started")
    one = gates.find(RUN, "review")
    gates.decide(one, Decision("resume", gates.who()), 0.2)
    with refused():
        gates.find(RUN, "review")
    api.pods[one.handle].uid = "another"
    gates.decide(gates.find(RUN, "review"), Decision("reject", "x"), 0)  # takes what was said to the first away


def looks(services: ClusterServices, gates: ClusterGates, pod: Callable[..., Pod]) -> None:
    """All of `open`, `ssh`, `viewer` and `serving` but for what removes or replaces."""
    pod("work", gate=False)
    with refused():
        gates.find(RUN, "not-started")
    one = gates.find(RUN, "work", gate=False)
    gates.read(one, "/kade/run/token")
    with gates.forward(one, 1):
        pass
    for view in (services.find("viewer", RUN, "board"), services.find("serving", "iris", "endpoint")):
        with services.reach(view):
            pass
        with refused():
            services.log(view, 1)
        services.pause(view)
        services.resume(services.find(view.kind, view.run, view.name))


def removes(services: ClusterServices) -> None:
    services.rollback(services.find("serving", "iris", "endpoint"), None, 5)
    for view in (*services.all("viewer"), *services.all("serving")):
        services.delete(view)


@pytest.fixture
def full(api: Api) -> Api:
    """A cluster with a service of each flavor."""
    api.groups = {"serving.kserve.io", "tensorboard.kubeflow.org"}
    api.workflow = {"spec": {}}
    viewer(api)
    for version in (V1, V2):
        serving(api, version)
    custom(api, "tensorboards", "viewer", "iris-x-0d1f7e52")
    custom(api, "inferenceservices", "serving", "iris-x")
    return api


def test_deciders(gates: ClusterGates, api: Api, pod: Callable[..., Pod]) -> None:
    api.workflow = {"spec": {}}
    decides(ClusterGates(dataclasses.replace(gates.cluster, patience=0.0)), api, pod)
    assert used(api) == allowed(by_name()["kade2kfp-deciders"])


def test_users(services: ClusterServices, gates: ClusterGates, full: Api, pod: Callable[..., Pod]) -> None:
    looks(services, gates, pod)
    seen = {one for one in used(full) if one[1] != "configmaps"}
    by_role = allowed(by_name()["kade2kfp-users"])
    with gates.forward(gates.find(RUN, "work", gate=False), 1) as port:
        assert port
    # A connection is made by whoever opens the address.
    assert by_role - seen == {("", "pods/portforward", "get"), ("", "pods/portforward", "create")}
    assert seen <= by_role


def test_maintainers(services: ClusterServices, full: Api) -> None:
    removes(services)
    seen, roles_ = used(full), by_name()
    assert seen <= allowed(roles_["kade2kfp-maintainers"]) | allowed(roles_["kade2kfp-users"])
    assert allowed(roles_["kade2kfp-maintainers"]) <= seen


def test_users_without_the_rest_can_still_look(
    services: ClusterServices, gates: ClusterGates, full: Api, pod: Callable[..., Pod]
) -> None:
    """What else a user's commands try, such as to remove viewers whose time is over, is not missed."""
    may = allowed(by_name()["kade2kfp-users"])
    every = {one for role in by_name().values() for one in allowed(role)} | {("", "configmaps", "get")}
    full.forbidden = {f"{verb} {resource}" for _, resource, verb in every - may}
    full.objects.found["deployments", "iris-endpoint"]["spec"]["replicas"] = 1
    viewer(full, "old", expires="2020-01-01T00:00:00Z")
    looks(services, gates, pod)


def test_nothing_that_decides_is_the_steps_own() -> None:
    """A pipeline that could write the run's ConfigMap could approve itself."""
    found = by_name()
    assert not {one for one in allowed(found["kade2kfp-steps"]) if one[1] in ("configmaps", "secrets", "pods/exec")}
    assert not {one for one in allowed(found["kade2kfp-users"]) if one[1] == "configmaps"}
    assert all("*" not in one for role in found.values() for one in allowed(role))


@pytest.mark.parametrize(
    ("needs", "names", "without"),
    [
        (Needs(False, False, False, False, False, False), {"users"}, {"deployments", "pods/log"}),
        (
            Needs(True, False, False, False, False, False),
            {"steps", "users", "maintainers"},
            {"replicasets", "tensorboards"},
        ),
        (
            Needs(False, True, True, False, False, False),
            {"steps", "deciders", "users", "maintainers"},
            {"inferenceservices"},
        ),
    ],
)
def test_what_is_not_needed_is_left_out(needs: Needs, names: set[str], without: set[str]) -> None:
    found = by_name(needs)
    assert set(found) == {f"kade2kfp-{name}" for name in names}
    assert not {one for role in found.values() for _, one, _ in allowed(role)} & without
