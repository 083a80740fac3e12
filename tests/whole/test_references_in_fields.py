"""A `{{` in a field that names or measures something: refused once, or a value that is right; never a crash, never lost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .asking import compiled, errors

PARAMETERS = [
    {"name": "free", "type": "string"},
    {"name": "word", "type": "string", "default": "abc"},
    {"name": "flag", "type": "boolean", "default": True},
    {"name": "count", "type": "integer", "default": 5},
]
LOAD = {"type": "loadData", "image": None, "command": None, "url": "http://a/b", "path": "/d"}
CLAIM = {"id": "v", "mountPath": "/v"}


def document(task: dict[str, Any], **more: Any) -> dict[str, Any]:
    task = {"id": "a", "type": "job", "image": "busybox:1", "command": ["run"]} | task
    return {"apiVersion": "kade2kfp/v1", "name": "p", "parameters": PARAMETERS, "tasks": [task]} | more


def variable(source: dict[str, Any]) -> dict[str, Any]:
    return document({"env": [{"name": "A", "valueFrom": source}]})


FIELDS = {
    "image": lambda text: document({"image": text}),
    "defaults.image": lambda text: document({"image": None}, defaults={"image": text}),
    "cpu": lambda text: document({"resources": {"limits": {"cpu": text}}}),
    "memory": lambda text: document({"resources": {"requests": {"memory": text}}}),
    "gpu": lambda text: document({"resources": {"limits": {"nvidia.com/gpu": text}}}),
    "timeout": lambda text: document({"timeout": text}),
    "pipeline.timeout": lambda text: document({}, timeout=text),
    "timeToLive": lambda text: document({}, timeToLive=text),
    "backoff": lambda text: document({"retry": {"limit": 1, "backoff": text}}),
    "pull secret": lambda text: document({"imagePullSecrets": [text]}),
    "secret of a variable": lambda text: variable({"secretKeyRef": {"name": text, "key": "k"}}),
    "map of a variable": lambda text: variable({"configMapKeyRef": {"name": text, "key": "k"}}),
    "secret mount": lambda text: document({"volumes": [{"secret": text, "mountPath": "/m"}]}),
    "map mount": lambda text: document({"volumes": [{"configMap": text, "mountPath": "/m"}]}),
    "sizeLimit": lambda text: document({"volumes": [{"emptyDir": {"sizeLimit": text}, "mountPath": "/m"}]}),
    "claimName": lambda text: document({"volumes": [CLAIM]}, volumes=[{"id": "v", "claimName": text}]),
    "size": lambda text: document({"volumes": [CLAIM]}, volumes=[{"id": "v", "create": {"size": text}}]),
    "storage class": lambda text: document(
        {"volumes": [CLAIM]}, volumes=[{"id": "v", "create": {"size": "1Gi", "storageClassName": text}}]
    ),
    "node selector": lambda text: document({"nodeSelector": {"a": text}}),
    "toleration": lambda text: document({"tolerations": [{"key": "a", "value": text}]}),
    "label": lambda text: document({"labels": {"a": text}}),
    "annotation": lambda text: document({"annotations": {"a": text}}),
    "package": lambda text: document({"packagesToInstall": [text]}),
    "sha256": lambda text: document(LOAD | {"sha256": text}),
    "headers": lambda text: document(LOAD | {"headersFrom": {"secretName": text}}),
    "store": lambda text: document(LOAD | {"url": f"s3://{text}"}),
    "field of the pod": lambda text: variable({"fieldRef": {"fieldPath": f"metadata.labels['{text}']"}}),
}
every = pytest.mark.parametrize("field", FIELDS)


@every
@pytest.mark.parametrize("text", ["{{{{x", "a{{{{", "{{{{params.word}}", "$(HOME)", "a$$b", "{{params.}}", "{{ x"])
def test_what_argo_or_kubernetes_would_replace_is_refused_once(field: str, text: str) -> None:
    assert len(errors(compiled(FIELDS[field](text)))) == 1


@every
@pytest.mark.parametrize(
    "text", ["x{{params.free}}", "{{run.id}}", "{{params.free}}", "{{params.flag}}", "{{params.count}}"]
)
def test_a_reference_is_refused_once_or_compiles(field: str, text: str) -> None:
    found = compiled(FIELDS[field](text))
    assert len(errors(found)) == (found.yaml is None)


@pytest.mark.parametrize(
    "field", ["timeout", "pipeline.timeout", "timeToLive", "backoff", "sizeLimit", "size", "sha256"]
)
def test_a_mixed_text_that_is_not_of_its_kind_is_not_dropped(field: str) -> None:
    found = compiled(FIELDS[field]("x{{params.word}}"))
    assert [one[:4] for one in errors(found)] in (["K106"], ["K107"], ["K104"])


@pytest.mark.parametrize("field", ["timeout", "pipeline.timeout", "timeToLive"])
def test_a_mixed_text_that_is_of_its_kind_is_taken(field: str) -> None:
    assert "300" in (compiled(FIELDS[field]("{{params.count}}m")).yaml or "")


@pytest.mark.parametrize("image", ["", " "])
@pytest.mark.parametrize("field", ["image", "defaults.image"])
def test_an_empty_image_is_no_image(field: str, image: str) -> None:
    assert compiled(FIELDS[field](image)).yaml is None


@pytest.mark.parametrize("default", [[None], {"a": [{"b": None}]}])
def test_null_in_a_default_is_refused_since_kfp_cannot_write_it(default: Any) -> None:
    kind = "array" if isinstance(default, list) else "object"
    more = [*PARAMETERS, {"name": "deep", "type": kind, "default": default}]
    assert [one[:4] for one in errors(compiled(document({}, parameters=more)))] == ["K244"]


LONG = ["x" * 90_000, "eyJ" * 30_000, "://" * 30_000, "a-" * 45_000, "a:" * 45_000, "{{params.word}}" * 6_000]


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:6])
@pytest.mark.parametrize("field", [*FIELDS, "env", "script", "name"])
def test_time_is_linear_in_a_long_text(field: str, text: str) -> None:
    """Milliseconds; an expression that backtracks takes half a minute."""
    more = {
        "env": {"env": [{"name": "A", "value": text}]},
        "script": {"script": text, "command": None},
        "name": {"name": text},
    }
    start = time.process_time()
    compiled(FIELDS[field](text) if field in FIELDS else document(more[field]))
    assert time.process_time() - start < 8
