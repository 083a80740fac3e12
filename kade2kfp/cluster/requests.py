"""A request to Kubernetes' API: with time limits, repeated where that is safe, its errors told by errors.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError, broken, not_kubernetes, refused

Answer = TypeVar("Answer")
_TRIES = 4
_PAGE = 200
_GROUPS = {
    "deployments": "apps/v1",
    "horizontalpodautoscalers": "autoscaling/v2",
    "inferenceservices": "serving.kserve.io/v1beta1",
    "replicasets": "apps/v1",
    "tensorboards": "tensorboard.kubeflow.org/v1alpha1",
    "workflows": "argoproj.io/v1alpha1",
    "selfsubjectreviews": "authentication.k8s.io/v1",
    "selfsubjectaccessreviews": "authorization.k8s.io/v1",
}
# The verb of a role, and HTTP's. Server-side apply is `patch`, and `create` where there is nothing yet.
_METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "patch": "PATCH",
    "apply": "PATCH",
    "delete": "DELETE",
}
_VERBS = {"apply": "patch and create"}
_WORDS = {"get": "read", "list": "list", "create": "create", "patch": "change", "apply": "write", "delete": "delete"}
_BODIES = {"patch": "application/merge-patch+json", "apply": "application/apply-patch+yaml"}


def call(
    cluster: Cluster,
    verb: str,
    resource: str,
    name: str = "",
    *,
    query: Sequence[tuple[str, str]] = (),
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The API's answer, a JSON object. Raises RefusedError.

    `resource` may have a subresource, as roles write it: `deployments/scale`. Repeated up to three times where the answer
    was lost or says to come again: so only what may be done twice.
    """
    return again(cluster, lambda: _once(cluster, verb, resource, name, query, body))


def log(cluster: Cluster, pod: str, query: Sequence[tuple[str, str]]) -> str:
    """What a pod has printed, as text: the client takes a line of JSON for an object, and refuses what is no UTF-8.

    Raises RefusedError.
    """
    return again(cluster, lambda: _log(cluster, pod, query))


def served(cluster: Cluster, resource: str) -> bool:
    """Whether the cluster has the group of a resource at all. Raises RefusedError.

    Who may not use a resource is answered 403 even where it is not there; this everybody may ask (the ClusterRole
    system:discovery).
    """
    group = _GROUPS[resource]
    try:
        again(
            cluster, lambda: sent(cluster, "GET", f"/apis/{group}", (), None, f"read {group}", f"get on /apis/{group}")
        )
    except RefusedError as error:
        if error.status == 404:
            return False
        raise
    return True


def pages(cluster: Cluster, resource: str, labels: str) -> Iterator[dict[str, Any]]:
    """All objects with these labels, read page by page. Raises RefusedError."""
    following = ""
    while True:
        query = [("labelSelector", labels), ("limit", str(_PAGE))]
        answer = call(cluster, "list", resource, query=[*query, ("continue", following)] if following else query)
        yield from (one for one in answer.get("items") or () if isinstance(one, dict))
        following = (answer.get("metadata") or {}).get("continue") or ""
        if not following:
            return


def again(cluster: Cluster, ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; asks again, later each time, while it fails for a reason that passes."""
    for attempt in range(_TRIES - 1):
        try:
            return ask()
        except RefusedError as error:
            if not error.passing:
                raise
            time.sleep(max(error.after, cluster.pause * 2**attempt))
    return ask()


def path_of(cluster: Cluster, resource: str, name: str = "") -> str:
    """The path of a resource in the cluster's namespace; a review has none. A subresource stands behind the name."""
    kind, _, below = resource.partition("/")
    group = _GROUPS.get(kind)
    start = f"/apis/{group}" if group else "/api/v1"
    inside = "" if kind.startswith("selfsubject") else f"/namespaces/{_quoted(cluster.namespace)}"
    return f"{start}{inside}/{kind}" + (f"/{_quoted(name)}" if name else "") + (f"/{below}" if below else "")


def permission(cluster: Cluster, verb: str, resource: str) -> str:
    """What a role has to allow, as a person would tell it to another (and as `kubectl create role` takes it)."""
    kind, slash, below = resource.partition("/")
    group = _GROUPS.get(kind, "").partition("/")[0]
    what = f"{kind}{'.' + group if group else ''}{slash}{below}"
    return f"{_VERBS.get(verb, verb)} on {what} in namespace `{cluster.namespace}`"


def _once(
    cluster: Cluster,
    verb: str,
    resource: str,
    name: str,
    query: Sequence[tuple[str, str]],
    body: Mapping[str, Any] | None,
) -> dict[str, Any]:
    what = f"{_WORDS[verb]} {resource}{' ' + name if name else ''} in namespace `{cluster.namespace}`"
    missing, kind = permission(cluster, verb, resource), _BODIES.get(verb, "application/json")
    return sent(cluster, _METHODS[verb], path_of(cluster, resource, name), query, body, what, missing, kind)


def sent(
    cluster: Cluster,
    method: str,
    path: str,
    query: Sequence[tuple[str, str]],
    body: Mapping[str, Any] | None,
    what: str,
    missing: str,
    kind: str = "application/json",
) -> dict[str, Any]:
    """The API's answer to one request, a JSON object. Raises RefusedError, which says `what` could not be done.

    `missing` is what a role has to allow; `kind` is the body's media type.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        answer = cluster.api.call_api(
            path,
            method,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": kind},
            body=dict(body) if body is not None else None,
            response_type="object",
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _request_timeout=(cluster.connect, cluster.read),
        )
    except ApiException as error:
        if error.status:
            raise refused(error.status, error.body, error.headers or {}, what, missing, cluster.address) from None
        raise broken(error, what, cluster.address) from None
    except UnicodeDecodeError:
        raise not_kubernetes(cluster.address, 200) from None
    except (HTTPError, OSError, ValueError) as error:
        raise broken(error, what, cluster.address) from None
    if not isinstance(answer, dict):
        raise not_kubernetes(cluster.address, 200)
    return answer


def _log(cluster: Cluster, pod: str, query: Sequence[tuple[str, str]]) -> str:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError

    what = f"read the log of pod {pod} in namespace `{cluster.namespace}`"
    configuration = cluster.api.configuration
    auth = configuration.auth_settings().get("BearerToken")
    try:
        answer = cluster.api.rest_client.pool_manager.request(
            "GET",
            configuration.host + path_of(cluster, "pods/log", pod),
            fields=list(query),
            headers={"Authorization": auth["value"]} if auth else {},
            timeout=Timeout(connect=cluster.connect, read=cluster.read),
            redirect=False,
        )
    except (HTTPError, OSError, ValueError) as error:
        raise broken(error, what, cluster.address) from None
    if answer.status != 200:
        missing = permission(cluster, "get", "pods/log")
        raise refused(answer.status, answer.data, answer.headers, what, missing, cluster.address)
    return bytes(answer.data).decode(errors="replace")


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
