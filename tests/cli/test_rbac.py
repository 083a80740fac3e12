"""rbac: YAML that a cluster takes, for all or for a document."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import kade2kfp.cli as cli
from kade2kfp.cli.rbac_command import doors_of, needs_of
from kade2kfp.cluster.roles import Door, Needs
from kade2kfp.steps.model import Autoscale, Plan, Service, Step
from kade2kfp.steps.parts import Gate

Call = Callable[..., tuple[int, str, str]]
OPENAPI = Path(__file__).parents[1] / "lowering" / "openapi" / "__init__.py"
JOB: dict[str, Any] = {
    "apiVersion": "kade2kfp/v1",
    "name": "hello",
    "tasks": [{"id": "greet", "type": "job", "image": "busybox:1.36", "command": ["true"]}],
}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setattr(cli, "_make_haste", lambda: None)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(("rbac", *words))
        said = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def openapi() -> ModuleType:
    spec = importlib.util.spec_from_file_location("openapi", OPENAPI)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def objects(text: str) -> dict[tuple[str, str], Any]:
    found = list(yaml.safe_load_all(text))
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(by_name) == len(found)
    return by_name


def test_all_of_it_is_what_kubernetes_takes(call: Call, openapi: ModuleType) -> None:
    words = [
        "-n",
        "team-a",
        "--deciders",
        "leads",
        "--users",
        "user:a@b.c",
        "--users",
        "group:#x",
        "--maintainers",
        "ops",
    ]
    code, text, said = call(*words, "--network-policy", "--allow-namespace", "istio-system")
    assert (code, said) == (0, "")
    found = objects(text)
    assert [openapi.problems(one) for one in found.values()] == [[]] * len(found)
    assert {one["metadata"]["namespace"] for one in found.values()} == {"team-a"}
    bound = {name: one["subjects"] for (kind, name), one in found.items() if kind == "RoleBinding"}
    group = "rbac.authorization.k8s.io"
    assert bound == {
        "kade2kfp-steps": [{"kind": "ServiceAccount", "name": "pipeline-runner", "namespace": "team-a"}],
        "kade2kfp-deciders": [{"kind": "Group", "name": "leads", "apiGroup": group}],
        "kade2kfp-users": [
            {"kind": "User", "name": "a@b.c", "apiGroup": group},
            {"kind": "Group", "name": "#x", "apiGroup": group},
        ],
        "kade2kfp-maintainers": [{"kind": "Group", "name": "ops", "apiGroup": group}],
    }
    (peers,) = (one["spec"]["ingress"] for (kind, _), one in found.items() if kind == "NetworkPolicy")
    other = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}}
    assert peers == [{"from": [{"podSelector": {}}, other]}]
    assert call(*words, "--network-policy", "--allow-namespace", "istio-system")[1] == text
    assert max(map(len, text.splitlines())) <= 140


def test_each_rule_says_why(call: Call) -> None:
    lines = call()[1].splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("  - apiGroups:")]
    assert len(rules) > 20
    assert all(lines[number - 1].startswith("  # ") for number in rules)
    roles = [number for number, line in enumerate(lines) if line == "kind: Role"]
    assert all(lines[number - 2].startswith("# ") for number in roles)
    assert not any(one[0] == "RoleBinding" and one[1] != "kade2kfp-steps" for one in objects("\n".join(lines)))


def test_a_document_gets_what_it_needs(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(JOB))
    assert set(objects(call(str(path), "--network-policy")[1])) == {("Role", "kade2kfp-users")}
    path.write_text(json.dumps(JOB | {"tasks": [JOB["tasks"][0] | {"imgae": "x"}]}))
    code, text, said = call(str(path))
    assert (code, text) == (1, "")
    assert "imgae" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-n", "a/b"], "no namespace can be called so"),
        (["-n", ""], "no namespace can be called so"),
        (["--network-policy", "--allow-namespace", "A"], "no namespace can be called so"),
        (["--service-account", "x\n- y"], "no service account can be called so"),
        (["--users", ""], "nobody is called so"),
        (["--users", "user:"], "nobody is called so"),
        (["--users", "a\nb: c"], "nobody is called so"),
        (["--allow-namespace", "a"], "--allow-namespace is for --network-policy."),
    ],
)
def test_wrong_usage(call: Call, words: list[str], says: str) -> None:
    code, text, said = call(*words)
    assert (code, text) == (2, "")
    assert says in said


def test_help_fits_a_screen(call: Call) -> None:
    text = call("--help")[1]
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80


def step(name: str, kind: Any, **more: Any) -> Step:
    server = Step(name, name, name, ("x",), ())
    service = Service(kind, f"iris-{name}", server, 3000, **more)
    return Step(name, name, name, ("x",), (), service=service)


def test_what_a_plan_needs(openapi: ModuleType) -> None:
    gate = Step("g", "g", "g", ("x",), (), gate=Gate(60))
    plan = Plan("iris", "Iris", nodes=(step("board", "viewer"), gate))
    assert needs_of(plan) == Needs(True, False, True, False, False, False)
    endpoint = step("e", "serving", autoscale=Autoscale(3))
    plan = Plan(
        "iris", "Iris", nodes=(endpoint, step("k", "serving", flavor="kserve"), step("t", "viewer", flavor="kubeflow"))
    )
    assert needs_of(plan) == Needs(True, True, False, True, True, True)
    labels = (("kade2kfp/service", "serving"), ("kade2kfp/pipeline", "iris"), ("kade2kfp/service-step", "e"))
    first, second = doors_of(plan)  # KServe's pods have ports of their own
    assert first == Door("iris-e", labels, 3000)
    assert second.name == "iris-t"
