"""artifacts of runs on a cluster, read from an object store that checks who asks."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from kfp_server import Kfp
from kfp_server.fixtures import kfp
from kfp_server.proxy import between

from kade2kfp.cluster.kfp.artifacts import Wanted, download
from kade2kfp.cluster.kfp.objects import Object, Objects, parts_of
from kade2kfp.cluster.kfp.where import Target
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local.state import Artifact, StepState

from .flows import FLOW, ended
from .kube import Kube
from .side import SECRET, Ran

__all__ = ["kfp"]
Cli = Callable[..., Ran]


@pytest.fixture
def keys(kfp: Kfp, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access, secret = next(iter(kfp.keys.items()))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def test_artifacts_are_listed_and_brought_here(kfp: Kfp, cli: Cli, keys: None, tmp_path: Path) -> None:
    run = ended(kfp, FLOW)
    at = ("--endpoint", kfp.url, "--store", f"http://{kfp.s3}")
    found = {(one["step"], one["name"]): one for one in cli("artifacts", run, *at, "--output", "json").json}
    made = found["make", "o"]
    assert (made["type"], made["files"], made["size"], made["exists"]) == ("Artifact", 1, 3, True)
    assert made["path"].startswith(f"minio://mlpipeline/v2/artifacts/flow/{run}/make/")
    assert ("each-loop", "each-e") in found
    table = cli("artifacts", run, "make", *at).out.splitlines()
    assert table[0].split() == ["TASK", "NAME", "TYPE", "FILES", "SIZE", "URI"]
    assert len(table) == 3

    target = tmp_path / "here"
    done = cli("artifacts", run, *at, "--download", str(target))
    assert done.code == 0
    assert (target / "make/o/f").read_text() == "hi\n"
    assert (target / "each-0/e/x").read_text() == "1\n"
    assert (target / "each-loop/each-e/index.json").exists()
    refused = cli("artifacts", run, "make", *at, "--copy-to", str(target))
    assert (refused.code, "is there already (and 1 more)" in refused.err) == (1, True)
    (target / "make/o/f").write_text("mine")
    assert cli("artifacts", run, "make", *at, "--copy-to", str(target), "--force").code == 0
    assert (target / "make/o/f").read_text() == "hi\n"
    assert not list(target.rglob(".*"))


def test_without_a_store_only_uris_are_known(kfp: Kfp, cli: Cli, tmp_path: Path) -> None:
    run = ended(kfp, FLOW, well="yes")
    at = ("--endpoint", kfp.url)
    rows = cli("artifacts", run, "make", *at, "--output", "json").json
    assert [one["size"] for one in rows] == [None, None]
    refused = cli("artifacts", run, "make", *at, "--download", str(tmp_path / "x"))
    assert refused.code == 1
    assert "the object store of the run is not known" in refused.err
    assert "--store URL" in refused.err
    assert not (tmp_path / "x").exists()


def test_metrics_that_no_task_takes_are_compared(kfp: Kfp, cli: Cli, keys: None) -> None:
    runs = [ended(kfp, FLOW), ended(kfp, FLOW, well="yes")]
    at = ("--endpoint", kfp.url)
    known = cli("compare", *runs, *at, "--output", "json")
    assert "--store URL has all" in known.err
    assert {one["name"] for one in known.json["rows"] if one["kind"] == "metric"} == {"acc"}
    full = cli("compare", *runs, *at, "--store", f"http://{kfp.s3}", "--output", "json").json
    rows = {(one["task"], one["name"]): one for one in full["rows"]}
    assert rows["make", "loss"]["values"] == [1.25, 1.25]
    assert rows["make", "loss"]["differs"] is False
    assert rows[None, "well"]["values"] == ["no", "yes"]
    assert rows["boom", "state"]["values"] == ["failed", "succeeded"]
    text = cli("compare", *runs, *at)
    assert any(row.split()[:3] == ["*", "boom", "state"] for row in text.out.splitlines())


@pytest.mark.parametrize(
    ("store", "access", "words"),
    [
        ("", "nobody", "refuses the key"),
        ("http://127.0.0.1:1", "minio", "nothing listens at 127.0.0.1:1"),
        ("http://no-such-host.invalid:9000", "minio", "the name of no-such-host.invalid:9000 is not known"),
        ("http://127.0.0.1:9/minio", "minio", "address has a path: /minio"),
        ("ftp://x", "minio", "is no http:// or https:// address"),
    ],
)
def test_a_store_that_does_not_serve(
    kfp: Kfp, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: str, access: str, words: str
) -> None:
    run = ended(kfp, FLOW)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)  # `cli` looks that it is never said
    at = ("--endpoint", kfp.url, "--store", store or f"http://{kfp.s3}")
    refused = cli("artifacts", run, "make", *at, "--download", str(tmp_path / "x"))
    assert refused.code in (1, 2, 3)
    assert words in refused.err


def test_a_page_in_place_of_a_store(kfp: Kfp, cli: Cli, keys: None, tmp_path: Path) -> None:
    run = ended(kfp, FLOW)
    with between(f"http://{kfp.s3}") as proxy:
        proxy.breaks("html", "", times=99)
        at = ("--endpoint", kfp.url, "--store", proxy.url)
        refused = cli("artifacts", run, "make", *at, "--download", str(tmp_path / "x"))
    assert refused.code == 3
    assert "does not answer as an object store does" in refused.err


# --- what an object store may hold


class Fake(Objects):
    """A store that holds what the test says."""

    def __init__(self, objects: dict[str, bytes], size: int | None = None) -> None:
        super().__init__(Target("http://127.0.0.1:1"))
        self.objects, self.size = objects, size

    def all(self, uri: str) -> list[Object]:
        return [
            Object(name, len(data) if self.size is None else self.size, f"{uri}/{name}")
            for name, data in self.objects.items()
        ]

    def read(self, uri: str) -> Iterator[bytes]:
        yield self.objects[uri.removeprefix("s3://b/k/")]


def wanted(target: Path) -> list[Wanted]:
    step = StepState("make", "make", "make", "container", "succeeded")
    return [Wanted(step, Artifact("o", "", "directory", "Artifact", "s3://b/k"), target)]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//b", "a/./b", "..", "a\0b", "x" * 300])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / "in/here"
    with pytest.raises(CannotDoError, match="its name is none for a file"):
        list(download(wanted(target), Fake({"good": b"1", name: b"2"}), force=False))
    assert list(tmp_path.rglob("*")) == []


def test_what_comes_in_part_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(CannotDoError, match="came with 1 bytes in place of 5"):
        list(download(wanted(tmp_path / "here"), Fake({"f": b"1"}, 5), force=False))
    assert list(tmp_path.iterdir()) == []


def test_a_file_and_a_folder_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(CannotDoError, match="cannot write"):
        list(download(wanted(tmp_path / "here"), Fake({"a": b"1", "a/b": b"2"}), force=False))
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_that_was_never_written(tmp_path: Path) -> None:
    with pytest.raises(CannotDoError, match="make's o is not there: s3://b/k"):
        list(download(wanted(tmp_path / "here"), Fake({}), force=False))


@pytest.mark.parametrize("uri", ["gs://b/k", "minio://b", "minio:///k", "http://x/y", "", "b/k", "s3://b/"])
def test_uris_that_cannot_be_read(uri: str) -> None:
    with pytest.raises(CannotDoError, match="cannot be read from here"):
        parts_of(uri)


def test_a_uri_with_a_query_is_read_without_it() -> None:
    assert parts_of("s3://b/k/f?endpoint=x") == ("s3", "b", "k/f")


# --- where the store is, said by the cluster


def launcher(kube: Kube, kfp: Kfp, secret: str = "own-secret") -> None:
    """The config map of KFP's launcher, with a secret of its own."""
    access, password = next(iter(kfp.keys.items()))
    reference = {"secretName": secret, "accessKeyKey": "who", "secretKeyKey": "word"}
    given = {"endpoint": f"http://{kfp.s3}", "credentials": {"fromEnv": False, "secretRef": reference}}
    kube.objects["configmaps", "kfp-launcher"] = {"data": {"providers": json.dumps({"minio": {"default": given}})}}
    data = {"who": access, "word": password}
    kube.objects["secrets", "own-secret"] = {
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    }


def test_the_store_and_its_keys_are_those_of_kfps_launcher(kfp: Kfp, cli: Cli, kube: Kube, tmp_path: Path) -> None:
    run = ended(kfp, FLOW)
    launcher(kube, kfp)
    at = ("--endpoint", kfp.url, "--namespace", "team")
    done = cli("artifacts", run, "make", *at, "--download", str(tmp_path / "here"))
    assert done.code == 0
    assert (tmp_path / "here/make/o/f").read_text() == "hi\n"
    assert kube.namespaces == {"team"}


@pytest.mark.parametrize("what", ["no secret", "forbidden", "empty secret", "no YAML"])
def test_a_cluster_that_does_not_say_where_the_store_is(
    kfp: Kfp, cli: Cli, kube: Kube, tmp_path: Path, what: str
) -> None:
    run = ended(kfp, FLOW)
    launcher(kube, kfp, "missing" if what == "no secret" else "own-secret")
    if what == "forbidden":
        kube.forbidden.add("secrets")
    elif what == "empty secret":
        kube.objects["secrets", "own-secret"] = {"data": {"who": "!!"}}
    elif what == "no YAML":
        kube.objects["configmaps", "kfp-launcher"] = {"data": {"providers": "{["}}
    refused = cli("artifacts", run, "make", "--endpoint", kfp.url, "--download", str(tmp_path / "here"))
    assert refused.code == 1
    assert "the object store of the run is not known" in refused.err
    assert "--store URL" in refused.err
    words = {"no secret": "missing", "forbidden": "you may not read secrets", "empty secret": "has no keys of a store"}
    assert words.get(what, "mlpipeline-minio-artifact") in refused.err
