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
    "workflows": "argoproj.io/v1alpha1",
    "selfsubjectreviews": "authentication.k8s.io/v1",
    "selfsubjectaccessreviews": "authorization.k8s.io/v1",
}
# The verb of a role, and HTTP's. Server-side apply is `patch`, and `create` where there is nothing yet.
_METHODS = {"get": "GET", "list": "GET", "create": "POST", "patch": "PATCH", "apply": "PATCH"}
_VERBS = {"apply": "patch and create"}
_WORDS = {"get": "read", "list": "list", "create": "create", "patch": "change", "apply": "write"}
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

    Repeated up to three times where the answer was lost or says to come again: so only what may be done twice.
    """
    return again(cluster, lambda: _once(cluster, verb, resource, name, query, body))


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
    """The path of a resource in the cluster's namespace; a review has none."""
    group = _GROUPS.get(resource)
    start = f"/apis/{group}" if group else "/api/v1"
    inside = "" if resource.startswith("selfsubject") else f"/namespaces/{_quoted(cluster.namespace)}"
    return f"{start}{inside}/{resource}" + (f"/{_quoted(name)}" if name else "")


def permission(cluster: Cluster, verb: str, resource: str) -> str:
    """What a role has to allow, as a person would tell it to another."""
    group = _GROUPS.get(resource, "").partition("/")[0]
    return f"{_VERBS.get(verb, verb)} on {resource}{'.' + group if group else ''} in namespace `{cluster.namespace}`"


def _once(
    cluster: Cluster,
    verb: str,
    resource: str,
    name: str,
    query: Sequence[tuple[str, str]],
    body: Mapping[str, Any] | None,
) -> dict[str, Any]:
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    what = f"{_WORDS[verb]} {resource}{' ' + name if name else ''} in namespace `{cluster.namespace}`"
    headers = {"Accept": "application/json", "Content-Type": _BODIES.get(verb, "application/json")}
    try:
        answer = cluster.api.call_api(
            path_of(cluster, resource, name),
            _METHODS[verb],
            query_params=list(query),
            header_params=headers,
            body=dict(body) if body is not None else None,
            response_type="object",
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _request_timeout=(cluster.connect, cluster.read),
        )
    except ApiException as error:
        if error.status:
            missing = permission(cluster, verb, resource)
            raise refused(error.status, error.body, error.headers or {}, what, missing, cluster.address) from None
        raise broken(error, what, cluster.address) from None
    except UnicodeDecodeError:
        raise not_kubernetes(cluster.address, 200) from None
    except (HTTPError, OSError, ValueError) as error:
        raise broken(error, what, cluster.address) from None
    if not isinstance(answer, dict):
        raise not_kubernetes(cluster.address, 200)
    return answer


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
