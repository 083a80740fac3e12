"""Makes definitions.json: `python3 reduce.py swagger.json`, from Kubernetes' api/openapi-spec/swagger.json.

The release is the one that the `kubernetes` package of uv.lock is made for (30.x: Kubernetes 1.30); the file is in the Go
module k8s.io/kubernetes of that version. Kept are the kinds below and what they refer to, without descriptions.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

KINDS = (
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
)
_KEPT = ("$ref", "type", "format", "items", "properties", "additionalProperties", "required", "enum")


def slim(schema: Any) -> Any:
    """A schema without what says nothing of a manifest's validity."""
    found = {key: schema[key] for key in _KEPT if key in schema}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = slim(found[key])
    if "properties" in found:
        found["properties"] = {name: slim(one) for name, one in found["properties"].items()}
    if kinds := schema.get("x-kubernetes-group-version-kind"):
        found["kinds"] = [[f"{one['group']}/{one['version']}".lstrip("/"), one["kind"]] for one in kinds]
    return found


def reduced(swagger: Any) -> Any:
    """The kinds, and all that they refer to."""
    wanted, found = list(KINDS), {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = slim(swagger["definitions"][name])
            if name not in KINDS:
                found[name].pop("kinds", None)
            wanted += re.findall(r"#/definitions/([^\"]+)", json.dumps(found[name]))
    return dict(sorted(found.items()))


if __name__ == "__main__":
    swagger = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = reduced(swagger)
    lines = (f" {json.dumps(name)}: {json.dumps(one, sort_keys=True)}" for name, one in found.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    Path(__file__).with_name("definitions.json").write_text(text, encoding="utf-8")
