"""Inheritance (document.md, Arrows), rule by rule: what goes along an arrow, what does not, and whose a value is."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.plan.inherit import Settings

from .documents import Json, analysis, arrow, check, codes, document, job, steps

BARE = {"image": None}


def settings(doc: Json) -> dict[str, Settings]:
    return dict(analysis(doc).settings)


def after(giver: Json, **taker: Any) -> Settings:
    """The settings of `b`, which takes data from `a`."""
    return settings(document(job("a") | giver, job("b", **(BARE | taker)), arrows=(arrow("a", "b", "/out"),)))["b"]


VALUES: dict[str, tuple[str, Any]] = {
    "image": ("image", "own:2"),
    "nodeSelector": ("node_selector", {"disk": "ssd"}),
    "workingDir": ("working_dir", "/work"),
}


@pytest.mark.parametrize(("key", "field", "value"), [(key, *rest) for key, rest in VALUES.items()])
def test_what_is_taken_whole(key: str, field: str, value: Any) -> None:
    found = after({key: value})
    assert found.get(field) == value
    assert found.fields[field].origin == "a"
    assert found.fields[field].at == ("tasks", 0, key)


def test_tolerations_and_pull_secrets_are_taken_whole_too() -> None:
    found = after({"tolerations": [{"operator": "Exists"}], "imagePullSecrets": ["registry"]})
    assert [one.operator for one in found.get("tolerations")] == ["Exists"]
    assert [one.name for one in found.get("image_pull_secrets")] == ["registry"]


@pytest.mark.parametrize(
    ("key", "own"),
    [("image", "mine:1"), ("nodeSelector", {}), ("tolerations", []), ("imagePullSecrets", []), ("workingDir", "/mine")],
)
def test_ones_own_wins_and_an_empty_list_is_ones_own(key: str, own: Any) -> None:
    said = {
        "image": "own:2",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "imagePullSecrets": ["registry"],
        "workingDir": "/work",
    }
    found = after({key: said[key]}, **{key: own})
    field = {
        "nodeSelector": "node_selector",
        "imagePullSecrets": "image_pull_secrets",
        "workingDir": "working_dir",
    }.get(key, key)
    assert found.get(field) == own
    assert found.fields[field].origin == "b"


@pytest.mark.parametrize(
    "given",
    [
        {"resources": {"limits": {"cpu": "1"}}},
        {"retry": {"limit": 3}},
        {"timeout": "5m"},
        {"cache": False},
        {"imagePullPolicy": "Always"},
        {"securityContext": {"runAsUser": 5}},
        {"labels": {"a": "b"}},
        {"annotations": {"a": "b"}},
        {"nodeAffinity": {}},
        {"env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        {"env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        {"volumes": [{"secret": "s", "mountPath": "/s"}]},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_is_never_inherited_from_a_task(given: Json) -> None:
    found = after(given)
    assert {setting.origin for setting in found.fields.values()} == {"a"}
    assert set(found.fields) == {"image"}
    assert (found.env, found.volumes, found.labels, found.annotations) == ((), (), (), ())


def test_commands_and_files_are_never_inherited() -> None:
    doc = document(
        job("a", files=[{"path": "/f", "content": "x"}]),
        job("b", image=None, command=None),
        arrows=(arrow("a", "b", "/o"),),
    )
    assert codes(check(doc)) == ["K201"]


def test_env_merges_by_name_and_ones_own_wins() -> None:
    found = after(
        {"env": [{"name": "A", "value": "theirs"}, {"name": "B", "value": "theirs"}, {"name": "E"}]},
        env=[{"name": "B", "value": "mine"}, {"name": "C", "value": "mine"}],
    )
    assert [(one.value.name, one.value.value, one.origin) for one in found.env] == [
        ("B", "mine", "b"),
        ("C", "mine", "b"),
        ("A", "theirs", "a"),
        ("E", None, "a"),
    ]


def test_ones_own_secret_wins_over_an_inherited_plain_value() -> None:
    own = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    found = after({"env": [{"name": "A", "value": "plain"}]}, env=[own])
    assert [one.origin for one in found.env] == ["b"]


def test_volumes_merge_by_mount_path() -> None:
    found = after(
        {
            "volumes": [
                {"id": "x", "mountPath": "/x"},
                {"id": "x", "mountPath": "/both"},
                {"emptyDir": {}, "mountPath": "/e"},
            ]
        },
        volumes=[{"id": "y", "mountPath": "/both/"}],
    )
    assert [(one.value.mount_path, one.value.id, one.origin) for one in found.volumes] == [
        ("/both", "y", "b"),
        ("/x", "x", "a"),
        ("/e", None, "a"),
    ]


def chain(*tasks: Json, arrows: tuple[Json, ...]) -> dict[str, Settings]:
    return settings(document(*tasks, arrows=arrows))


def test_the_nearest_task_that_says_it_counts() -> None:
    found = chain(
        job("a", image="far:1", workingDir="/far"),
        job("b", image="near:1"),
        job("c", image=None),
        arrows=(arrow("a", "b", "/o"), arrow("b", "c", "/o")),
    )["c"]
    assert (found.get("image"), found.fields["image"].origin) == ("near:1", "b")
    assert (found.get("working_dir"), found.fields["working_dir"].origin) == ("/far", "a")


def test_a_shorter_way_counts_before_a_longer_one() -> None:
    found = chain(
        job("a", image="far:1"),
        job("b", image=None),
        job("n", image="near:1"),
        job("c", image=None),
        arrows=(arrow("a", "b", "/o"), arrow("b", "c", "/o", "/i1"), arrow("n", "c", "/o", "/i2")),
    )["c"]
    assert found.fields["image"].origin == "n"


def two_givers(left: Json, right: Json, **more: Any) -> Json:
    return document(
        job("l") | left,
        job("r") | right,
        job("c", image=None),
        arrows=(arrow("l", "c", "/o", "/l"), arrow("r", "c", "/o", "/r")),
        **more,
    )


def test_two_nearest_that_agree_are_one() -> None:
    found = settings(two_givers({"image": "same:1"}, {"image": "same:1"}))["c"]
    assert found.fields["image"].origin == "l"
    assert found.disputed == {}


def test_where_two_nearest_disagree_nothing_is_inherited_for_that_field() -> None:
    doc = two_givers({"image": "l:1", "workingDir": "/w"}, {"image": "r:1", "workingDir": "/w"})
    found = settings(doc)["c"]
    assert found.get("image") is None
    assert found.get("working_dir") == "/w"
    assert found.disputed == {"image": ("l", "r")}
    assert codes(check(doc)) == ["K204"]


def test_then_the_defaults_decide_and_it_is_no_error() -> None:
    doc = two_givers({"image": "l:1"}, {"image": "r:1"}, defaults={"image": "d:1"})
    assert settings(doc)["c"].fields["image"].origin == "defaults"
    assert codes(check(doc)) == []


def test_a_dispute_about_anything_else_is_no_error() -> None:
    doc = two_givers({"image": "i:1", "workingDir": "/l"}, {"image": "i:1", "workingDir": "/r"})
    assert settings(doc)["c"].get("working_dir") is None
    assert codes(check(doc)) == []


def test_a_dispute_stops_what_lies_behind_it() -> None:
    doc = document(
        job("far", image="far:1"),
        job("l", image="l:1"),
        job("r", image="r:1"),
        job("c", image=None),
        arrows=(arrow("far", "l", "/o"), arrow("l", "c", "/o", "/l"), arrow("r", "c", "/o", "/r")),
    )
    assert settings(doc)["c"].get("image") is None


def test_env_is_disputed_name_by_name() -> None:
    found = settings(
        two_givers(
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]},
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        )
    )["c"]
    assert [one.value.name for one in found.env] == ["A"]
    assert found.disputed["env B"] == ("l", "r")


@pytest.mark.parametrize(
    "way",
    [
        arrow("a", "b"),  # order only
        arrow("a", "b", "/o", inherit=False),
    ],
    ids=["order", "off"],
)
def test_arrows_that_carry_no_settings(way: Json) -> None:
    assert "image" not in settings(document(job("a"), job("b", image=None), arrows=(way,)))["b"].fields


def test_a_task_can_turn_it_off_for_itself_and_still_hands_its_own_on() -> None:
    found = chain(
        job("a", workingDir="/a"),
        job("b", image="b:1", inherit=False),
        job("c", image=None),
        arrows=(arrow("a", "b", "/o"), arrow("b", "c", "/o")),
    )
    assert found["b"].get("working_dir") is None
    assert found["c"].get("image") == "b:1"
    assert found["c"].get("working_dir") is None  # nothing comes through it


def test_one_arrow_that_carries_is_enough() -> None:
    arrows = (arrow("a", "b"), arrow("a", "b", "/o", inherit=False), arrow("a", "b", "/p", "/in2"))
    assert chain(job("a"), job("b", image=None), arrows=arrows)["b"].get("image") == "img:1"


@pytest.mark.parametrize("type_", ["container", "notebook"])
def test_containers_and_notebooks_give_and_take(type_: str) -> None:
    gate = {"type": type_, "advance": "auto", "image": None}
    found = chain(
        job("a"), job("m") | gate, job("z", image=None), arrows=(arrow("a", "m", "/o"), arrow("m", "z", "/o"))
    )
    assert found["m"].get("image") == found["z"].get("image") == "img:1"


@pytest.mark.parametrize(
    "giver",
    [
        {"id": "a", "type": "loadData", "url": "https://x.org/a", "path": "/o", "image": "other:1"},
        {"id": "a", "type": "select", "metric": "m", "path": "/o", "image": "other:1"},
    ],
    ids=["loadData", "select"],
)
def test_other_types_give_nothing(giver: Json) -> None:
    assert "image" not in chain(giver, job("b", image=None), arrows=(arrow("a", "b", "/o"),))["b"].fields


def test_other_types_take_nothing_and_nothing_comes_through_them() -> None:
    found = chain(
        job("a", workingDir="/w"),
        {"id": "s", "type": "select", "metric": "m", "path": "/o"},
        job("b", image=None),
        arrows=(arrow("a", "s", "/o", "/o"), arrow("s", "b", "/o")),
    )
    assert found["s"].fields == {}
    assert found["b"].fields == {}


@pytest.mark.parametrize(
    "given",
    [
        {"image": "app:{{item}}"},
        {"image": "app:{{ item.tag }}"},
        {"env": [{"name": "I", "value": "{{item}}"}]},
        {"nodeSelector": {"zone": "{{item}}"}},
        {"volumes": [{"configMap": "{{item}}", "mountPath": "/c"}]},
        {"imagePullSecrets": ["{{item}}"]},
    ],
    ids=lambda given: next(iter(given)),
)
def test_an_item_stays_in_its_iteration(given: Json) -> None:
    swept = {"forEach": {"items": ["a", "b"]}, "workingDir": "/w"} | given
    found = after(swept)
    assert set(found.fields) <= {"image", "working_dir"}
    assert found.get("working_dir") == "/w"
    assert "{{" not in str(found.get("image"))
    assert (found.env, found.volumes) == ((), ())


def test_a_cycle_does_no_harm() -> None:
    doc = document(
        job("a", image=None), job("b", image=None), job("c", image="c:1"),
        arrows=(arrow("a", "b", "/o"), arrow("b", "a", "/o"), arrow("c", "a", "/o", "/c")),
    )  # fmt: skip
    assert settings(doc)["b"].get("image") == "c:1"


DEFAULTS: Json = {
    "image": "d:1",
    "resources": {"limits": {"cpu": "1"}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "imagePullSecrets": ["s"],
    "imagePullPolicy": "Never",
    "securityContext": {"runAsUser": 5},
    "retry": {"limit": 1},
    "timeout": "5m",
    "cache": False,
}


def test_defaults_come_last_and_say_so() -> None:
    found = settings(document(job("a", image=None), defaults=DEFAULTS))["a"]
    assert {setting.origin for setting in found.fields.values()} == {"defaults"}
    assert len(found.fields) == len(DEFAULTS)


def test_a_task_before_comes_before_the_defaults() -> None:
    doc = document(
        job("a", nodeSelector={"x": "y"}), job("b", image=None), arrows=(arrow("a", "b", "/o"),), defaults=DEFAULTS
    )
    found = settings(doc)["b"]
    assert (found.fields["image"].origin, found.fields["node_selector"].origin) == ("a", "a")
    assert found.fields["tolerations"].origin == "defaults"


def test_a_default_image_is_for_users_commands_only() -> None:
    load = {"id": "l", "type": "loadData", "url": "https://x.org/a", "path": "/o"}
    found = settings(document(load, defaults=DEFAULTS))["l"]
    assert "image" not in found.fields
    assert found.get("timeout") == "5m"


def test_env_labels_and_annotations_of_the_defaults_merge_by_name() -> None:
    defaults = {
        "env": [{"name": "A", "value": "d"}, {"name": "B", "value": "d"}],
        "labels": {"a": "d", "b": "d"},
        "annotations": {"a": "d"},
    }
    task = job("a", env=[{"name": "A", "value": "mine"}], labels={"a": "mine"})
    found = settings(document(task, defaults=defaults))["a"]
    assert [(one.value.name, one.origin) for one in found.env] == [("A", "a"), ("B", "defaults")]
    assert [(one.value, one.origin) for one in found.labels] == [(("a", "mine"), "a"), (("b", "d"), "defaults")]
    assert [one.value for one in found.annotations] == [("a", "d")]


def test_an_inherited_variable_comes_before_a_default_one() -> None:
    doc = document(
        job("a", env=[{"name": "A", "value": "a"}]), job("b"), arrows=(arrow("a", "b", "/o"),),
        defaults={"env": [{"name": "A", "value": "d"}]},
    )  # fmt: skip
    assert [(one.value.value, one.origin) for one in settings(doc)["b"].env] == [("a", "a")]


def test_what_was_inherited_reaches_the_step() -> None:
    doc = document(
        job("a", image="{{params.image}}", workingDir="/w", env=[{"name": "A", "value": "{{params.image}}!"}]),
        job("b", image=None),
        arrows=(arrow("a", "b", "/o"),),
        parameters=[{"name": "image", "type": "string"}],
    )
    made = steps(doc)
    assert made["b"].image == made["a"].image != ()
    assert made["b"].env == made["a"].env
    assert made["b"].working_dir == "/w"


def test_a_very_long_chain_takes_no_recursion() -> None:
    tasks = [job("t0", workingDir="/w"), *(job(f"t{i}", image=None) for i in range(1, 300))]
    arrows = tuple(arrow(f"t{i}", f"t{i + 1}", "/o") for i in range(299))
    assert chain(*tasks, arrows=arrows)["t299"].fields["working_dir"].origin == "t0"
