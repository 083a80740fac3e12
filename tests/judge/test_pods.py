"""Pods of compiled pipelines are pods that Kubernetes takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from kfp import compiler, dsl, kubernetes

from tests.whole.asking import compiled, errors
from tests.whole.documents import documents
from tests.whole.profile import tries

from .judge import Judge, texts
from .made import codes, job, unchecked
from .pods import drafts

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*/pipeline.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_pod_of_an_example_is_accepted(judge: Judge, example: Path) -> None:
    found = judge(drafts(example.read_text(encoding="utf-8")))
    assert found
    assert not texts(found)


def test_every_pod_of_random_documents_is_accepted(judge: Judge) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    @tries(60, 3000)
    @given(documents())
    def collect(document: dict[str, Any]) -> None:
        found = compiled(document)
        assert found.yaml is not None, errors(found)
        asked.extend((json.dumps(document), draft) for draft in drafts(found.yaml))

    collect()
    verdicts = judge(draft for _, draft in asked)
    assert len(verdicts) > 60
    refused = [f"{one.refused}\n{document}" for (document, _), one in zip(asked, verdicts, strict=True) if one.errors]
    assert not refused, "\n\n".join(refused[:5])


def test_values_of_a_run_reach_the_pod(judge: Judge) -> None:
    document = job(volumes=[{"id": "v", "mountPath": "/a"}], image="{{params.image}}") | {
        "volumes": [{"id": "v", "claimName": "{{params.claim}}"}],
        "parameters": [{"name": name, "type": "string", "default": "ours"} for name in ("claim", "image")],
    }
    assert not codes(document)
    text = unchecked(document)
    ours, given = judge([*drafts(text), *drafts(text, {"claim": "claim.of-the-run", "image": " spaced"})])
    assert not ours.refused
    assert "must not contain dots" in given.refused
    assert "leading or trailing whitespace" in given.refused


def test_pods_inside_other_dags_are_found_and_get_the_values_of_their_own_dag(judge: Judge, tmp_path: Path) -> None:
    @dsl.container_component
    def step() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="busybox:1", command=["true"])

    @dsl.pipeline
    def inner(secret: str) -> None:
        kubernetes.use_secret_as_volume(step(), secret, "/s")

    @dsl.pipeline
    def outer(name: str = "from.outside") -> None:
        inner(secret=name)
        step()

    compiler.Compiler().compile(outer, str(tmp_path / "outer.yaml"))
    inside, outside = judge(drafts((tmp_path / "outer.yaml").read_text(encoding="utf-8")))
    assert '"from.outside": must not contain dots' in inside.refused
    assert not outside.refused
