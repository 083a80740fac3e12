from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.api import parse, validate
from kade2kfp.rules.mirror import mirrored, overlap, pulled
from kade2kfp.rules.model import Policy
from kade2kfp.rules.names import name_of, registry
from kade2kfp.steps.sources import Param

DIGEST = "@sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "place", "rest"),
    [
        ("python", "docker.io/library/python", ""),
        ("python:3.11", "docker.io/library/python", ":3.11"),
        ("team/app:1", "docker.io/team/app", ":1"),
        ("docker.io/python", "docker.io/library/python", ""),
        ("index.docker.io/team/app", "docker.io/team/app", ""),
        ("GHCR.io/team/app", "ghcr.io/team/app", ""),
        ("localhost/app", "localhost/app", ""),
        ("localhost:5000/app:2", "localhost:5000/app", ":2"),
        ("Host/app", "host/app", ""),
        ("quay.io/a/b/c:1" + DIGEST, "quay.io/a/b/c", ":1" + DIGEST),
        ("python" + DIGEST, "docker.io/library/python", DIGEST),
        ("example:5000", "docker.io/library/example", ":5000"),
    ],
)
def test_the_normal_form_is_dockers(image, place, rest):
    found = name_of(image)
    assert (found.place, found.rest) == (place, rest)


@pytest.mark.parametrize(
    "text", ["", "Python", "a b", "x\n", "https://ghcr.io/x", "ghcr.io/", "{{x}}", "a:", "\x1b[31m"]
)
def test_what_is_no_name_has_none(text):
    assert name_of(text) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("docker.io", "docker.io"),
        ("index.docker.io/team/", "docker.io/team"),
        ("GHCR.io/team", "ghcr.io/team"),
        ("localhost", "localhost"),
        ("registry:5000/a/b", "registry:5000/a/b"),
    ],
)
def test_registries(text, place):
    assert registry(text) == place


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "/",
            "python",
            "team/app",
            "https://ghcr.io",
            " ghcr.io",
            "ghcr.io/te am",
            "ghcr.io/team:1",
            "ghcr.io//a",
        ),
        *(
            "ghcr.io/Team",
            "*.example.org",
            "ghcr.io/team@sha256",
            "ghcr.io\n",
            "한국.kr/x",
            "ghcr.io/..",
            "\x1b[31m.io",
        ),
    ],
)
def test_what_is_no_registry_is_refused(text):
    with pytest.raises(ValueError, match="it "):
        registry(text)


def of(*mirror):
    return Policy(mirror=mirror)


@pytest.mark.parametrize(
    ("mirror", "image", "now"),
    [
        ([("docker.io", "m.io/hub")], "python:3.11", "m.io/hub/library/python:3.11"),
        ([("docker.io", "m.io/hub")], "team/app" + DIGEST, "m.io/hub/team/app" + DIGEST),
        ([("docker.io", "m.io/hub")], "quay.io/x:1", "quay.io/x:1"),
        ([("docker.io", "m.io")], "Docker.io/team/x", "m.io/team/x"),
        ([("docker.io", "m.io"), ("docker.io/team", "t.io")], "team/app:1", "t.io/app:1"),
        ([("docker.io/team", "t.io"), ("docker.io", "m.io")], "teams/app:1", "m.io/teams/app:1"),
        ([("ghcr.io/a/app", "m.io/app")], "ghcr.io/a/app:1", "m.io/app:1"),
        ([("ghcr.io/a/app", "m.io/app")], "ghcr.io/a/app-2:1", "ghcr.io/a/app-2:1"),
        ([("docker.io", "docker.io/cache")], "python:1", "docker.io/cache/library/python:1"),
        ([("docker.io", "docker.io/cache")], "cache/library/python:1", "cache/library/python:1"),
        ([("docker.io", "m.io"), ("docker.io/team", "docker.io/team")], "team/app", "team/app"),
        ([("ghcr.io", "m.io")], "ghcr.io.evil.org/x", "ghcr.io.evil.org/x"),
    ],
)
def test_the_longest_beginning_is_replaced(mirror, image, now):
    assert overlap(tuple(mirror)) is None
    assert pulled((image,), of(*mirror)) == (now,)


def test_what_only_a_run_knows_is_not_guessed():
    text = (Param("image", "string"),)
    assert pulled(text, of(("docker.io", "m.io"))) is None
    assert pulled(text, Policy()) == text
    assert pulled((), of(("docker.io", "m.io"))) == ()


@pytest.mark.parametrize(
    "mirror",
    [
        [("a.io", "b.io"), ("b.io", "c.io")],
        [("a.io", "b.io/x"), ("b.io", "c.io")],
        [("a.io", "b.io"), ("b.io/x", "c.io")],
        [("a.io", "b.io"), ("b.io", "a.io")],
    ],
)
def test_mirrors_of_mirrors_are_found(mirror):
    assert overlap(tuple(mirror)) is not None


PLACES = st.lists(st.sampled_from(["a", "b", "library"]), max_size=2).map(
    lambda parts: "".join(f"/{one}" for one in parts)
)
REGISTRIES = st.builds(str.__add__, st.sampled_from(["docker.io", "m.io", "q.io:5000"]), PLACES)
IMAGES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "docker.io/", "m.io/", "q.io:5000/"]),
    st.sampled_from(["a", "a/b", "library/a", "b/a/c"]),
    st.sampled_from(["", ":1", DIGEST]),
)


@settings(deadline=None)
@given(st.lists(st.tuples(REGISTRIES, REGISTRIES), max_size=3, unique_by=lambda one: one[0]).map(tuple), IMAGES)
def test_twice_mirrored_is_once_mirrored(mirror, image):
    if overlap(mirror) is None:
        once = pulled((image,), of(*mirror))
        assert pulled(once, of(*mirror)) == once
        assert name_of(once[0]).rest == name_of(image).rest


def test_no_image_becomes_a_host_alone():
    policy = of(("ghcr.io/team/app", "m.io:5000"))
    assert pulled(("ghcr.io/team/app:1",), policy) == ("ghcr.io/team/app:1",)
    assert pulled(("ghcr.io/team/app/web:1",), policy) == ("m.io:5000/web:1",)


def test_a_plan_is_mirrored_as_a_whole_and_only_its_images():
    checked = validate(
        parse(
            """{"apiVersion": "kade2kfp/v1", "name": "x", "tasks": [
            {"id": "train", "type": "job", "image": "python:3.11", "command": ["echo", "python:3.11"]},
            {"id": "board", "type": "viewer", "image": "tensorflow/tensorflow:2.16.1", "command": ["x"],
             "logPath": "/logs"},
            {"id": "data", "type": "loadData", "url": "https://x.example/y", "path": "/data"}]}"""
        )
    )
    plan = checked.plan
    assert plan is not None, checked.diagnostics
    policy = of(("docker.io", "m.io"))
    now = mirrored(plan, policy)
    assert mirrored(now, policy) == now
    assert mirrored(plan, Policy()) is plan
    train, board, data = now.nodes
    assert train.image == ("m.io/library/python:3.11",)
    assert train.command == plan.nodes[0].command
    assert board.service.server.image == ("m.io/tensorflow/tensorflow:2.16.1",)
    assert data.image == (now.toolbox_image,) == ("m.io/library/python:3.11-slim",)
    assert replace(train, image=plan.nodes[0].image) == plan.nodes[0]
