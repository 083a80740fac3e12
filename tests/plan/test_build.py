"""The plan: when a result may be taken from an earlier run, and what retries, resources and the envelope come to."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.steps.model import Claim, CreatedClaim, Step
from kade2kfp.steps.parts import Resources, Retry, Scheduling, Security

from .documents import Json, arrow, document, job, plan, steps

NAS = [{"id": "nas", "claimName": "c"}, {"id": "fast", "claimName": "f"}]
PARAMETERS = [{"name": "p", "type": "string"}, {"name": "q", "type": "string", "default": "q"}]
DIGEST = {"name": "digest", "type": "string", "default": "0" * 64}


def step(*arrows: Json, **fields: Any) -> Step:
    """The step of one job, `a`."""
    return steps(document(job("a", **fields), volumes=NAS, parameters=PARAMETERS))["a"]


def key(**fields: Any) -> str | None:
    return step(**fields).cache_key


def load(**fields: Any) -> str | None:
    task = {"id": "a", "type": "loadData", "url": "https://x.org/a", "path": "/d"} | fields
    return steps(document(task, parameters=[DIGEST]))["a"].cache_key


# Caching is on where it is sound.


def test_a_step_that_kfp_knows_wholly_needs_no_key() -> None:
    assert key() == ""
    assert key(cache=True) == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"cache": False},
        {"volumes": [{"id": "nas", "mountPath": "/n"}]},
        {"volumes": [{"id": "nas", "mountPath": "/n", "acl": "RW"}], "cache": True},
        {"volumes": [{"id": "nas", "mountPath": "/n", "acl": "RO"}, {"id": "nas", "mountPath": "/m"}]},
        {"command": ["echo", "{{run.id}}"]},
        {"command": ["true"], "args": ["x {{run.name}}"]},
        {"command": None, "script": "echo {{run.id}}"},
        {"env": [{"name": "RUN", "value": "{{run.id}}"}]},
        {"env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "{{run.id}}", "key": "k"}}}]},
        {"volumes": [{"secret": "{{run.id}}", "mountPath": "/s"}]},
        {"volumes": [{"configMap": "{{run.name}}", "mountPath": "/s"}]},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_where_it_is_not_sound_it_is_off(fields: Json) -> None:
    assert key(**fields) is None


def test_an_inherited_mount_and_an_inherited_run_id_count_too() -> None:
    doc = document(
        job("a", volumes=[{"id": "nas", "mountPath": "/n"}]), job("b", image=None),
        job("c", env=[{"name": "R", "value": "{{run.id}}"}]), job("d", image=None),
        arrows=(arrow("a", "b", "/o"), arrow("c", "d", "/o")), volumes=NAS,
    )  # fmt: skip
    assert {id_: made.cache_key for id_, made in steps(doc).items()} == dict.fromkeys("abcd")


def test_off_by_default_and_on_again_by_the_task() -> None:
    doc = document(job("a"), job("b", cache=True), defaults={"cache": False})
    assert {id_: made.cache_key for id_, made in steps(doc).items()} == {"a": None, "b": ""}


def test_both_ends_of_a_volume_arrow_are_off_and_what_comes_after_is_not() -> None:
    doc = document(
        job("a"), job("b"), job("c"), arrows=(arrow("a", "b", "/o", volume="nas"), arrow("b", "c", "/p")), volumes=NAS
    )
    assert {id_: made.cache_key for id_, made in steps(doc).items()} == {"a": None, "b": None, "c": ""}


def test_a_volume_arrow_that_is_seen_through_a_read_only_mount_is_off_too() -> None:
    doc = document(
        job("a", volumes=[{"id": "nas", "mountPath": "/n"}]),
        job("b", volumes=[{"id": "nas", "mountPath": "/n", "acl": "RO"}]),
        arrows=(arrow("a", "b", "/n/out", "/n/out", volume="nas"),),
        volumes=NAS,
    )
    assert steps(doc)["b"].cache_key is None  # its inputs are new in each run, and KFP sees none of them


def test_an_order_only_arrow_changes_nothing() -> None:
    doc = document(job("a", cache=False), job("b"), arrows=(arrow("a", "b"),))
    assert steps(doc)["b"].cache_key == ""


def test_a_download_is_cached_only_with_its_digest() -> None:
    assert load() is None
    assert load(sha256="0" * 64) is not None
    assert load(sha256="{{params.digest}}") is not None
    assert load(cache=True) is None


def test_a_download_from_a_store_too() -> None:
    assert load(url="s3://b/a") is None
    assert load(url="s3://b/a", sha256="0" * 64) is not None


# The key stands for all that KFP's fingerprint leaves out: env, sub-paths, secrets, config maps, users.

VARIANTS: list[Json] = [
    {"env": [{"name": "A", "value": "1"}]},
    {"env": [{"name": "A", "value": "2"}]},
    {"env": [{"name": "B", "value": "1"}]},
    {"env": [{"name": "A", "value": "{{params.q}}"}]},
    {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "l"}}}]},
    {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}}]},
    {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}}]},
    {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
    {"volumes": [{"id": "nas", "mountPath": "/n", "acl": "RO"}]},
    {"volumes": [{"id": "fast", "mountPath": "/n", "acl": "RO"}]},
    {"volumes": [{"id": "nas", "mountPath": "/n", "acl": "RO", "subPath": "a"}]},
    {"volumes": [{"id": "nas", "mountPath": "/m", "acl": "RO"}]},
    {"volumes": [{"secret": "s", "mountPath": "/n"}]},
    {"volumes": [{"secret": "s", "mountPath": "/n", "optional": True}]},
    {"volumes": [{"configMap": "s", "mountPath": "/n"}]},
    {"volumes": [{"emptyDir": {}, "mountPath": "/n"}]},
    {"volumes": [{"emptyDir": {"medium": "Memory"}, "mountPath": "/n"}]},
    {"securityContext": {"runAsUser": 1000}},
    {"securityContext": {"runAsUser": 1001}},
]


def test_each_of_them_has_a_key_of_its_own() -> None:
    keys = [key(**variant) for variant in VARIANTS]
    assert None not in keys
    assert "" not in keys
    assert len(set(keys)) == len(VARIANTS)


def test_the_key_is_the_same_every_time() -> None:
    assert [key(**one) for one in VARIANTS] == [key(**one) for one in VARIANTS]


@pytest.mark.parametrize(
    "fields",
    [{"name": "Other"}, {"description": "x"}, {"labels": {"a": "b"}}, {"resources": {"limits": {"cpu": "2"}}},
     {"nodeSelector": {"a": "b"}}, {"retry": {"limit": 2}}, {"timeout": "5m"}, {"imagePullPolicy": "Always"}],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_what_does_not_change_the_result_does_not_change_the_key(fields: Json) -> None:
    assert key(**VARIANTS[0], **fields) == key(**VARIANTS[0])


# Retries.


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"limit": 0}, None),
        ({"limit": 2}, Retry(2)),
        ({"limit": 3, "backoff": "1m30s", "factor": 1.5, "maxBackoff": "5m"}, Retry(3, 90, 1.5, 300)),
        ({"limit": 1, "backoff": "{{params.t}}"}, Retry(1, 600)),
        ({"limit": 1, "on": "pod", "factor": 3}, Retry(1, factor=3, on="pod")),
        ({"limit": 1, "on": None, "factor": None}, Retry(1)),
    ],
)
def test_retries(said: Json, expected: Retry | None) -> None:
    doc = document(job("a", retry=said), parameters=[{"name": "t", "type": "string", "default": "10m"}])
    assert steps(doc)["a"].retry == expected


def test_ones_own_retry_is_taken_whole_over_the_default() -> None:
    doc = document(job("a", retry={"limit": 1}), job("b"), defaults={"retry": {"limit": 5, "backoff": "9s"}})
    assert (steps(doc)["a"].retry, steps(doc)["b"].retry) == (Retry(1), Retry(5, 9))


# Resources.


def test_resources() -> None:
    said = {
        "requests": {"cpu": 0.5, "memory": "1Gi"},
        "limits": {"cpu": 2, "memory": "2Gi", "nvidia.com/gpu": 1},
    }
    assert step(resources=said).resources == Resources(("0.5",), ("2",), ("1Gi",), ("2Gi",), "nvidia.com/gpu", ("1",))


def test_no_resources_and_empty_ones_are_the_same() -> None:
    assert step().resources == step(resources={}).resources == step(resources={"limits": {}}).resources == Resources()


def test_resources_of_the_defaults_are_taken_whole() -> None:
    doc = document(
        job("a", resources={"limits": {"cpu": "1"}}), job("b"), defaults={"resources": {"requests": {"memory": "1Gi"}}}
    )
    made = steps(doc)
    assert made["a"].resources == Resources(cpu_limit=("1",))
    assert made["b"].resources == Resources(memory_request=("1Gi",))


# What else a step is told.


def test_settings_of_a_pod() -> None:
    made = step(
        securityContext={"runAsUser": 0, "runAsGroup": 7, "runAsNonRoot": False},
        nodeSelector={"z": "1", "a": "2"},
        tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        timeout="1h30m",
        imagePullPolicy="Never",
        labels={"team": "x"},
        annotations={"note": "한글"},
    )
    assert made.security == Security(0, 7, False)
    assert made.scheduling == Scheduling(
        (("z", "1"), ("a", "2")), None, ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},)
    )
    assert (made.timeout, made.pull_policy) == (5400, "Never")
    assert (made.labels, made.annotations) == ((("team", "x"),), (("note", "한글"),))


# The envelope.


def test_the_envelope() -> None:
    made = plan(
        document(
            job("a", volumes=[{"id": "nas", "mountPath": "/n"}], command=["{{params.p}}"]),
            name="내 파이프라인 (1)",
            description="What it does",
            timeout="2h",
            timeToLive="1d",
            labels={"a": "b"},
            parameters=[
                {
                    "name": "p",
                    "type": "number",
                    "default": 2e6,
                    "description": "Rate",
                    "minimum": 1234567,
                    "maximum": 1e7,
                }
            ],
            volumes=[NAS[0], {"id": "tmp", "create": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}],
            defaults={"nodeSelector": {"d": "1"}, "imagePullSecrets": ["reg"], "toolboxImage": "tools:1"},
        )
    )
    assert (made.name, made.display_name, made.description) == ("p-1", "내 파이프라인 (1)", "What it does")
    assert (made.timeout, made.time_to_live, made.labels) == (7200, 86400, (("a", "b"),))
    assert made.claims == (Claim("nas", ("c",)), Claim("tmp", (), CreatedClaim("1Gi", ("ReadWriteMany",))))
    assert (made.toolbox_image, made.scheduling.node_selector) == ("tools:1", (("d", "1"),))
    assert made.pull_secrets == (("reg",),)
    assert made.parameters[0].description == "Rate (at least 1234567, at most 10000000)"


def test_nodes_stand_in_document_order() -> None:
    doc = document(job("z"), job("a"), job("m"), arrows=(arrow("m", "z", "/o"),))
    assert [one.task for one in plan(doc).nodes] == ["z", "a", "m"]


def test_the_order_of_keys_changes_nothing() -> None:
    doc = document(job("a", **VARIANTS[0], labels={"a": "b"}), job("b"), arrows=(arrow("a", "b", "/o"),))

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return [turned(one) for one in value] if isinstance(value, list) else value

    assert plan(turned(doc)) == plan(doc)
