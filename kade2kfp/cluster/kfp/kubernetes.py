"""Questions to the Kubernetes below KFP: whether something is there, and what one may do. Nothing is ever changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.requests import again, sent

_REVIEWS = "/apis/authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Right:
    """Something that a role may allow. `resource` may have a subresource: `pods/exec`."""

    verb: str
    resource: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


def read(cluster: Cluster, resource: str, name: str = "", *, group: str = "") -> dict[str, Any] | None:
    """An object of the namespace, or without a name all of the cluster's own; None where it is not there. Raises RefusedError."""
    base = f"/apis/{group}/v1" if group else "/api/v1"
    path = (
        f"{base}/namespaces/{_quoted(cluster.namespace)}/{resource}/{_quoted(name)}" if name else f"{base}/{resource}"
    )
    what = f"read {resource}{' ' + name if name else ''}"
    try:
        return again(cluster, lambda: sent(cluster, "GET", path, (), None, what, what))
    except RefusedError as error:
        if error.status == 404:
            return None
        raise


def allowed(cluster: Cluster, right: Right, account: str = "") -> bool | None:
    """Whether we may, or a service account of the namespace; None where Kubernetes does not say. Raises RefusedError."""
    resource, _, below = right.resource.partition("/")
    wanted = {"namespace": cluster.namespace, "verb": right.verb, "resource": resource, "group": right.group}
    spec: dict[str, Any] = {"resourceAttributes": wanted | ({"subresource": below} if below else {})}
    kind = "SelfSubjectAccessReview"
    if account:
        kind = "SubjectAccessReview"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{cluster.namespace}", "system:authenticated"]
        spec |= {"user": f"system:serviceaccount:{cluster.namespace}:{account}", "groups": groups}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    try:
        answer = again(
            cluster,
            lambda: sent(cluster, "POST", f"{_REVIEWS}/{kind.lower()}s", (), body, "ask for rights", "ask for rights"),
        )
    except RefusedError as error:
        if error.status in (403, 404, 405):
            return None
        raise
    said = (answer.get("status") or {}).get("allowed")
    return said if isinstance(said, bool) else None


def _quoted(text: str) -> str:
    return quote(text, safe="")
