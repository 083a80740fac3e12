"""Each rule of a policy on documents that keep to it and that do not."""

import json
from typing import Any

import pytest

from kade2kfp.api import Checked, compile, parse, validate
from kade2kfp.diagnostics.text import render
from kade2kfp.rules.model import Policy, Rules

DIGEST = "@sha256:" + "0123456789abcdef" * 4
OURS = "registry.example.org/team/app:1"
QUIET = ("K207", "K226", "K206", "K242")


def job(id_: str = "train", **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "job", "image": OURS, "command": ["true"]} | more


def checked(policy: Policy, *tasks: dict[str, Any], ignore: tuple[str, ...] = QUIET, **more: Any) -> Checked:
    document = {"apiVersion": "kade2kfp/v1", "name": "x"} | more | {"tasks": list(tasks)}
    return validate(parse(json.dumps(document)), rules=Rules("kade2kfp.toml", ignore=ignore, policy=policy))


def told(*args: Any, **more: Any) -> list[str]:
    return [f"{one.code} /{'/'.join(map(str, one.pointer))}" for one in checked(*args, **more).diagnostics]


PARAMETERS = [
    {"name": "image", "type": "string", "default": OURS},
    {"name": "cpu", "type": "string", "default": "1"},
    {"name": "later", "type": "string"},
]
OF_ONE = Policy(registries=("registry.example.org/team",))
HUB = Policy(mirror=(("docker.io", "registry.example.org/hub"),))


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (OURS, []),
        ("registry.example.org/team", []),
        ("REGISTRY.example.org/team/x", []),
        ("registry.example.org/teams/app:1", ["K250 /tasks/0/image"]),
        ("registry.example.org:443/team/app:1", ["K250 /tasks/0/image"]),
        ("registry.example.org.evil.org/team/app", ["K250 /tasks/0/image"]),
        ("evil.org/registry.example.org/team/app", ["K250 /tasks/0/image"]),
        ("python:3.11", ["K250 /tasks/0/image"]),
        ("team/app", ["K250 /tasks/0/image"]),
        ("{{params.image}}", ["K250 /tasks/0/image"]),
        ("{{params.later}}", ["K250 /tasks/0/image"]),
        ("Not An Image", ["K205 /tasks/0/image"]),
        ("registry.example.org/team/{{params.image}}", ["K313 /tasks/0/image"]),
        ("{{params.nothing}}", ["K301 /tasks/0/image"]),
    ],
)
def test_registries(image: str, found: list[str]) -> None:
    assert told(OF_ONE, job(image=image), parameters=PARAMETERS) == [*found]


def test_what_a_run_is_given_by_set_is_known_to_a_run_only_all_the_same() -> None:
    document = {
        "apiVersion": "kade2kfp/v1",
        "name": "x",
        "parameters": PARAMETERS,
        "tasks": [job(image="{{params.image}}")],
    }
    rules = Rules("kade2kfp.toml", ignore=QUIET, policy=OF_ONE)
    found = validate(parse(json.dumps(document)), values={"image": OURS}, rules=rules).diagnostics
    assert [one.code for one in found] == ["K250"]


def test_an_image_that_several_tasks_have_is_told_where_it_stands() -> None:
    assert told(OF_ONE, job("a", image=None), job("b", image=None), defaults={"image": "python:3.11"}) == [
        "K250 /defaults/image"
    ]


def test_each_item_is_judged() -> None:
    items = [{"image": OURS}, {"image": "python:3.11"}, {"image": "ghcr.io/x:latest"}]
    task = job(image="{{item.image}}", forEach={"items": items})
    found = checked(Policy(registries=("registry.example.org",), pinned="tag"), task).diagnostics
    assert [(one.code, one.message.split("`")[1]) for one in found] == [
        ("K250", "ghcr.io/x:latest"),
        ("K250", "python:3.11"),
        ("K251", "ghcr.io/x:latest"),
    ]
    assert told(OF_ONE, job(image="{{item.image}}", forEach={"items": items[:1]})) == []
    assert told(HUB, job(image="{{item.image}}", forEach={"items": items})) == []


def test_items_that_a_run_makes_are_refused_already() -> None:
    lister = job("list", outputs=[{"name": "images", "type": "array", "path": "/out/images"}])
    task = job(image="{{item}}", forEach={"items": "{{tasks.list.outputs.images}}"})
    policy = Policy(registries=("ghcr.io",), mirror=HUB.mirror, pinned="tag", most=(("cpu", "1"),))
    assert told(policy, lister, task) == ["K250 /tasks/0/image", "K516 /tasks/1/image"]
    output = job("of", outputs=[{"name": "image", "type": "string", "path": "/out/image"}])
    assert told(OF_ONE, output, job(image="{{tasks.of.outputs.image}}")) == ["K250 /tasks/1/image"]


ADDED = {
    "a download": ([{"id": "data", "type": "loadData", "url": "https://x.example/y", "path": "/data"}], {}),
    "a volume": (
        [job("a"), job("b")],
        {
            "volumes": [{"id": "disk", "claimName": "disk"}],
            "arrows": [{"fromTask": "a", "fromPath": "/o", "toTask": "b", "toPath": "/i", "volume": "disk"}],
        },
    ),
    "a viewer": (
        [job("a"), {"id": "v", "type": "viewer", "logPath": "/logs"}],
        {"arrows": [{"fromTask": "a", "fromPath": "/logs", "toTask": "v", "toPath": "/logs"}]},
    ),
}


@pytest.mark.parametrize("what", ADDED)
def test_steps_that_are_added_count(what: str) -> None:
    tasks, more = ADDED[what]
    (one,) = checked(OF_ONE, *tasks, **more).diagnostics
    assert one.code == "K250"
    assert "python:3.11-slim" in one.message
    assert "defaults.toolboxImage" in one.help
    named = {"toolboxImage": "registry.example.org/team/python:3.11"}
    assert told(OF_ONE, *tasks, defaults=named, **more) == []
    named = {"toolboxImage": "ghcr.io/python:3.11"}
    assert told(OF_ONE, *tasks, defaults=named, **more) == ["K250 /defaults/toolboxImage"]


def test_no_step_is_added_to_a_plain_job() -> None:
    assert told(OF_ONE, job()) == []


def test_what_comes_from_a_mirror_is_judged_by_its_name_there() -> None:
    policy = Policy(registries=("registry.example.org",), mirror=HUB.mirror)
    assert told(policy, job(image="python:3.11")) == []
    (one,) = checked(Policy(registries=("docker.io",), mirror=HUB.mirror), job(image="python:3.11")).diagnostics
    assert one.message == (
        "the image `python:3.11`, pulled as `registry.example.org/hub/library/python:3.11`, "
        "is not from a registry that kade2kfp.toml allows"
    )
    assert told(policy, job(image="{{params.image}}"), parameters=PARAMETERS) == ["K256 /tasks/0/image"]


@pytest.mark.parametrize(
    ("pinned", "image", "found"),
    [
        ("tag", "python", ["K251"]),
        ("tag", "python:latest", ["K251"]),
        ("tag", "python:latest" + DIGEST, []),
        ("tag", "python:3", []),
        ("tag", "registry:5000/python", ["K251"]),
        ("digest", "python:3", ["K251"]),
        ("digest", "python" + DIGEST, []),
        ("digest", "python:3" + DIGEST, []),
        ("digest", "{{params.image}}", ["K251"]),
    ],
)
def test_pinned(pinned: Any, image: str, found: list[str]) -> None:
    rows = told(Policy(pinned=pinned), job(image=image), parameters=PARAMETERS, ignore=("K207", "K242"))
    assert [row[:4] for row in rows] == found  # K206, a warning of the same, is not told beside K251


@pytest.mark.parametrize(
    ("task", "more", "found"),
    [
        ({}, {}, ["K252 /tasks/0"]),
        ({"labels": {"team": "a"}}, {}, []),
        ({"labels": {"Team": "a"}}, {}, ["K252 /tasks/0"]),
        ({}, {"labels": {"team": "a"}}, []),
        ({}, {"defaults": {"labels": {"team": "a"}}}, []),
        ({"labels": {"team": "A"}}, {}, ["K252 /tasks/0/labels/team"]),
        ({"labels": {"team": "a1"}}, {}, ["K252 /tasks/0/labels/team"]),
        ({"labels": {"team": ""}}, {}, ["K252 /tasks/0/labels/team"]),
        ({"labels": {"team": "a"}}, {"labels": {"team": "1"}}, ["K252 /labels/team"]),
        ({}, {"defaults": {"labels": {"team": "1"}}}, ["K252 /defaults/labels/team"]),
        ({"labels": 3}, {}, ["K102 /tasks/0/labels"]),
        ({"labels": {"team": "a\n"}}, {}, ["K221 /tasks/0/labels/team", "K252 /tasks/0/labels/team"]),
    ],
)
def test_labels(task: dict[str, Any], more: dict[str, Any], found: list[str]) -> None:
    policy = Policy(labels=("team",), label_values=(("team", "[a-z]+|[a-z]*x"),))
    assert told(policy, job(**task), **more) == found


def test_a_label_that_no_task_has_is_told_once_and_a_condition_needs_none() -> None:
    tasks = [job("a"), job("b"), {"id": "c", "type": "condition", "expression": "{{params.later}} == 'x'"}]
    policy = Policy(labels=("team",), required_limits=("cpu",))
    found = checked(policy, *tasks, parameters=PARAMETERS[2:]).diagnostics
    assert [one.message for one in found if one.code == "K252"] == [
        "no task has the label `team`, which kade2kfp.toml asks for"
    ]
    assert [one.pointer for one in found if one.code == "K255"] == [("tasks", 0), ("tasks", 1)]


@pytest.mark.parametrize(
    ("resources", "found"),
    [
        ({"limits": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": 4}}, []),
        ({"requests": {"cpu": 16.5}}, ["K253 requests/cpu"]),
        ({"limits": {"cpu": "16001m"}}, ["K253 limits/cpu"]),
        ({"limits": {"memory": "65Gi"}}, ["K253 limits/memory"]),
        ({"limits": {"memory": "68719476737"}}, ["K253 limits/memory"]),
        ({"requests": {"memory": "1Ti"}, "limits": {"memory": "2Ti"}}, ["K253 requests/memory", "K253 limits/memory"]),
        ({"limits": {"nvidia.com/gpu": 5}}, ["K253 limits/nvidia.com/gpu"]),
        ({"limits": {"amd.com/gpu": 1}}, ["K253 limits/amd.com/gpu"]),
        ({"limits": {"example.org/other": 100}}, []),
        ({"limits": {"cpu": "{{params.cpu}}"}}, ["K253 limits/cpu"]),
        ({"limits": {"cpu": "{{params.later}}"}}, ["K253 limits/cpu"]),
        ({"limits": {"cpu": "much"}}, ["K107 limits/cpu"]),
    ],
)
def test_ceilings(resources: dict[str, Any], found: list[str]) -> None:
    policy = Policy(most=(("cpu", "16"), ("memory", "64Gi"), ("nvidia.com/gpu", "4"), ("amd.com/gpu", "0")))
    rows = told(policy, job(resources=resources), parameters=PARAMETERS)
    assert [row.replace("/tasks/0/resources/", "") for row in rows] == found


@pytest.mark.parametrize(
    ("key", "count", "most", "of"),
    [
        ("nvidia.com/gpu", 5, "4", ""),
        ("nvidia.com/gpu", 4, "", ""),
        ("nvidia.com/mig-1g.5gb", 3, "2", "nvidia.com/mig-*"),
        ("nvidia.com/mig-1g.5gb", 2, "", ""),
        ("nvidia.com/gpu.shared", 1, "0", "nvidia.com/*"),
        ("nvidia.community/gpu", 9, "", ""),
        ("amd.com/gpu", 9, "", ""),
    ],
)
def test_the_closest_ceiling_holds(key: str, count: int, most: str, of: str) -> None:
    policy = Policy(most=(("nvidia.com/*", "0"), ("nvidia.com/gpu", "4"), ("nvidia.com/mig-*", "2")))
    found = [one for one in checked(policy, job(resources={"limits": {key: count}})).diagnostics if one.code == "K253"]
    says = (
        f"the limit for `{key}`, {count}, is above the {most} that kade2kfp.toml allows{f' for `{of}`' if of else ''}"
    )
    assert [one.message for one in found] == ([says] if most else [])


def test_ceilings_of_defaults_and_items() -> None:
    policy = Policy(most=(("cpu", "1"),))
    assert told(policy, job(), defaults={"resources": {"limits": {"cpu": 2}}}) == [
        "K253 /defaults/resources/limits/cpu"
    ]
    task = job(resources={"limits": {"cpu": "{{item.cpu}}"}}, forEach={"items": [{"cpu": 1}, {"cpu": 2}, {"cpu": 3}]})
    found = checked(policy, task).diagnostics
    assert [one.message.split(",")[1].strip() for one in found] == ["2", "3"]


@pytest.mark.parametrize(
    ("task", "more", "found"),
    [
        ({}, {}, ["K255 /tasks/0"]),
        ({"resources": {"limits": {"memory": "1Gi"}}}, {}, ["K255 /tasks/0/resources"]),
        ({"resources": {"limits": {"memory": "1Gi", "cpu": 1}}}, {}, []),
        ({"resources": {"requests": {"memory": "1Gi", "cpu": 1}}}, {}, ["K255 /tasks/0/resources"]),
        ({}, {"defaults": {"resources": {"limits": {"memory": "1Gi", "cpu": 1}}}}, []),
        (
            {"resources": {"requests": {"cpu": 1}}},
            {"defaults": {"resources": {"limits": {"memory": "1Gi", "cpu": 1}}}},
            ["K255 /tasks/0/resources"],
        ),
        ({"resources": {"limits": 3}}, {}, ["K102 /tasks/0/resources/limits"]),
    ],
)
def test_required_limits(task: dict[str, Any], more: dict[str, Any], found: list[str]) -> None:
    assert told(Policy(required_limits=("memory", "cpu")), job(**task), **more) == found


def test_forbidden_types() -> None:
    assert told(Policy(forbidden_types=("job",)), job("a"), job("b")) == ["K254 /tasks/0/type", "K254 /tasks/1/type"]
    assert told(Policy(forbidden_types=("notebook",)), job()) == []
    assert told(Policy(forbidden_types=("notebook", "job")), job()) == ["K254 /tasks/0/type"]


def test_policies_are_told_together_with_other_mistakes_and_no_choice_hides_them() -> None:
    policy = Policy(registries=("ghcr.io",), labels=("team",))
    found = checked(policy, job(imgae="x"), ignore=("K",)).diagnostics
    assert sorted(one.code for one in found) == ["K100", "K250", "K252"]


def test_nothing_is_compiled_against_a_policy() -> None:
    source = parse(json.dumps({"apiVersion": "kade2kfp/v1", "name": "x", "tasks": [job()]}))
    compiled = compile(source, rules=Rules("kade2kfp.toml", policy=Policy(registries=("ghcr.io",))))
    assert compiled.yaml is None
    assert compiled.checked.plan is None


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "%0A::error::x", "<script>", "](http://x)", "\u202e", "a\nb", "데이터", "x" * 5000]
)
def test_hostile_texts_of_documents_harm_no_terminal(text: str) -> None:
    policy = Policy(registries=("ghcr.io",), labels=("team",), label_values=(("k", "[a-z]"),), most=(("cpu", "1"),))
    task = job(image=text, name=text, labels={"k": text}, resources={"limits": {"cpu": text}})
    result = checked(policy, task, name=text, labels={"k": text})
    assert not result.ok
    for shown in render(result.diagnostics, result.source.line):
        assert not set(shown) & {"\x1b", "\u202e"}
        assert len(shown) < 1500


def test_rules_of_a_program_are_the_teams() -> None:
    source = parse(json.dumps({"apiVersion": "kade2kfp/v1", "name": "x", "tasks": [job()]}))
    (one,) = validate(source, rules=Rules(policy=Policy(registries=("ghcr.io",)))).diagnostics
    assert one.message.endswith("is not from a registry that the team allows")
