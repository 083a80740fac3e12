"""What the server is (apiserver/main.go, buildHTTPRouter)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .calls import Call, Route, route

if TYPE_CHECKING:
    from .kfp import Kfp


def healthz(kfp: Kfp, _: Call) -> dict[str, Any]:
    return healthz_v1(kfp, _) | {"pipeline_store": "database"}


def healthz_v1(kfp: Kfp, _: Call) -> dict[str, Any]:
    return {"commit_sha": "fake", "tag_name": kfp.version_tag, "multi_user": kfp.multi_user}


ROUTES: list[Route] = [
    route("GET", "/apis/v2beta1/healthz", healthz),
    route("GET", "/apis/v1beta1/healthz", healthz_v1),
]
