"""The judge itself: it sees what it is there for, and says what it cannot read."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from . import judge as build
from .judge import Judge

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
}


def pod(**main: Any) -> dict[str, Any]:
    changed = copy.deepcopy(POD)
    changed["spec"]["containers"][0] |= main
    return changed


def test_a_plain_pod_is_accepted_after_defaulting(judge: Judge) -> None:
    (found,) = judge([POD])  # without defaults it would lack a restart policy, a DNS policy and more
    assert (found.name, found.errors, found.warnings, found.pod) == ("a", (), (), None)


def test_all_faults_of_all_pods_are_told_in_the_order_of_the_pods(judge: Judge) -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    first, good, last = judge(
        [
            pod(imagePullPolicy="Sometimes", env=[{"name": "", "value": "x"}]),
            pod(),
            pod(volumeMounts=[{"name": "none", "mountPath": "/a"}], imagePolicy="Always", env=twice),
        ]
    )
    assert [field for field, _ in first.errors] == [
        "spec.containers[0].env[0].name",
        "spec.containers[0].imagePullPolicy",
    ]
    assert not good.errors
    assert dict(last.errors).keys() == {"spec.containers[0].imagePolicy", "spec.containers[0].volumeMounts[0].name"}
    # Kubernetes takes one name twice, the last counts; it warns of it.
    assert last.warnings == (
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    )


def test_a_field_given_twice_is_an_error(judge: Judge) -> None:
    done = judge.run(json.dumps(POD).replace('"name": "main"', '"name": "main", "name": "wait"'))
    assert 'duplicate field \\"spec.containers[0].name\\"' in done.stdout


def test_a_value_of_the_wrong_kind_refuses_its_pod_alone(judge: Judge) -> None:
    wrong, good = judge([pod(resources={"limits": {"cpu": "one"}}), POD])
    assert "quantities must match" in wrong.refused
    assert wrong.name == "a"
    assert not good.errors


def test_an_object_of_another_kind_is_no_pod(judge: Judge) -> None:
    (found,) = judge([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}])
    assert "not a Pod" in found.refused


@pytest.mark.parametrize("line", ["garbage", "[]", "null", '{"kind":', "{}{}", '"Pod"'])
def test_what_is_no_object_ends_it_and_says_where(judge: Judge, line: str) -> None:
    done = judge.run(json.dumps(POD) + "\n\n" + line + "\n" + json.dumps(POD))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.startswith("judge: line 3: not a JSON object: ")
    assert len(done.stderr.splitlines()) == 1


def test_nothing_in_is_nothing_out(judge: Judge) -> None:
    assert judge([]) == []


def test_a_patch_is_put_onto_its_pod_as_argo_does_it(judge: Judge) -> None:
    template = pod(
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        volumeMounts=[{"name": "old", "mountPath": "/a", "subPath": "s"}],
    )
    template["spec"]["volumes"] = [{"name": name, "emptyDir": {}} for name in ("old", "new", "var-run-argo")]
    main = {
        "name": "main",
        "image": "other:2",
        "env": [{"name": "A", "value": "3"}],
        "volumeMounts": [{"name": "new", "mountPath": "/a"}],
    }
    (found,) = judge([{"pod": template, "podSpecPatch": {"containers": [main]}}])
    assert not found.errors
    assert found.pod is not None
    (container,) = found.pod["spec"]["containers"]
    assert container["image"] == "other:2"
    assert {one["name"]: one["value"] for one in container["env"]} == {"A": "3", "B": "2"}
    # One path is one mount: of the new volume, and still below the old one's sub-path.
    assert container["volumeMounts"] == [
        {"name": "new", "mountPath": "/a", "subPath": "s"},
        {"name": "var-run-argo", "mountPath": "/var/run/argo"},
    ]


@pytest.mark.parametrize(
    ("draft", "field", "message"),
    [
        ({"podSpecPatch": {}}, "pod", "missing"),
        ({"pod": POD, "podSpecPatch": {}, "patch": {}}, "patch", "not part of a draft"),
        ({"pod": POD, "podSpecPatch": {"containers": [{"imaje": "x"}]}}, "podSpecPatch.containers[0].imaje", "unknown"),
        ({"pod": pod(tty=1), "podSpecPatch": {}}, "pod", "cannot unmarshal number"),
        ({"pod": POD, "podSpecPatch": {"containers": [{"image": "x"}]}}, "podSpecPatch", "merge key"),
    ],
)
def test_a_draft_that_is_none_is_refused(judge: Judge, draft: dict[str, Any], field: str, message: str) -> None:
    (found,) = judge([draft])
    assert found.pod is None
    assert [one for one, _ in found.errors] == [field]
    assert message in found.errors[0][1]


def test_without_go_tests_are_skipped_and_in_ci_they_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no `go` here"):
        build.built()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no `go` here"):
        build.built()
