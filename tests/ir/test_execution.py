"""Compiled documents run: what arrives is what was sent, as root and as another user (see tests/README.md)."""

from __future__ import annotations

import json
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.api import compile, parse

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.machine import Outcome, execute

ROOT = Path(__file__).parents[2]
USERS = pytest.mark.parametrize("user", [0, 1000], ids=["root", "user"])


def run(document: dict[str, Any], folder: Path, user: int = 0, **given: Any) -> Outcome:
    whole = {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": {"image": "python:3.11-slim"}} | document
    if user:
        whole["defaults"] = whole["defaults"] | {"securityContext": {"runAsUser": user}}
    compiled = compile(parse(json.dumps(whole)))
    assert compiled.yaml is not None, compiled.diagnostics
    return execute(compiled.yaml, folder, parameters=given, user=user)


def job(id_: str, script: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "job", "script": script, **more}


def arrow(from_task: str, from_path: str, to_task: str, to_path: str, **more: Any) -> dict[str, Any]:
    return {"fromTask": from_task, "fromPath": from_path, "toTask": to_task, "toPath": to_path, **more}


@pytest.mark.parametrize(("user", "read_only"), [(0, False), (1000, True)], ids=["root", "user, read-only"])
def test_examples_that_need_no_network_run(folder: Path, user: int, read_only: bool) -> None:
    for_all = {"user": user, "read_only": read_only}
    text = (ROOT / "examples/hello/pipeline.yaml").read_text()
    hello = execute(text, folder / "hello", parameters={"who": "Ada"}, **for_all)
    assert hello.logs["greet"] == "Hello, Ada!\n"
    # con1 writes into the root of the user's own claim, which has to be open for that.
    text = (ROOT / "examples/nas/pipeline.yaml").read_text()
    nas = execute(text, folder / "nas", claims={"user-kade0-pvc": 0o777}, **for_all)
    assert nas.codes == {"prepare-volumes": 0, "con1": 0, "con2": 0}, nas.logs
    assert nas.logs["con2"] == "5050\n"


@USERS
def test_what_one_task_makes_the_next_one_finds(folder: Path, user: int) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}, {"id": "work", "create": {"size": "1Gi"}}],
            "parameters": [{"name": "lr", "type": "number", "default": 0.5}],
            "tasks": [
                job(
                    "make",
                    "mkdir /out/sub; echo deep > /out/sub/a.txt; printf h > /out/.hidden\n"
                    "printf model > /one/model.pkl; printf big > /vol/big.bin; echo 42 > /m/count.txt\n"
                    'echo \'{"acc": 0.75, "note": "x", "a.b": 1e-3}\' > /m/metrics.json\n',
                    metrics="/m/metrics.json",
                    outputs=[{"name": "count", "type": "integer", "path": "/m/count.txt"}],
                ),
                job(
                    "use",
                    "cat /in/sub/a.txt /in/.hidden /models/model.pkl /v/big.bin; echo; echo $ACC $1; echo x > /w/x",
                    args=["{{tasks.make.outputs.count}}/{{params.lr}}"],
                    env=[{"name": "ACC", "value": "{{tasks.make.metrics.acc}} {{tasks.make.metrics.a.b}}"}],
                    volumes=[{"id": "work", "mountPath": "/w"}],
                ),
            ],
            "arrows": [
                arrow("make", "/out", "use", "/in"),
                arrow("make", "/one/model.pkl", "use", "/models", artifactType="Model"),
                arrow("make", "/vol", "use", "/v", volume="nas"),
            ],
        },
        folder,
        user,
        lr=0.25,
    )
    assert done.codes == {"prepare-volumes": 0, "make": 0, "use": 0}, done.logs
    assert done.logs["use"] == "deep\nhmodelbig\n0.75 0.001 42/0.25\n"
    assert done.tasks["make"].parameters == {"count": 42, "metric-acc": 0.75, "metric-a-b": 0.001}
    assert json.loads(done.artifact("make", "metrics").read_text()) == {"acc": 0.75, "a.b": 0.001}


def test_a_file_on_a_volume_is_one_file_for_the_next_task(folder: Path) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [job("make", "echo weights > /out/model.pt"), job("use", "cat /in/best.pt; ls /in")],
            "arrows": [arrow("make", "/out/model.pt", "use", "/in/best.pt", volume="nas")],
        },
        folder,
    )
    assert done.logs["use"] == "weights\nbest.pt\n"


def test_a_file_on_a_volume_that_is_a_link_out_of_it_cannot_be_mounted(folder: Path) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [job("make", "touch /tmp/t; ln -s /tmp/t /out/model.pt"), job("use", "cat /in/best.pt")],
            "arrows": [arrow("make", "/out/model.pt", "use", "/in/best.pt", volume="nas")],
        },
        folder,
    )
    assert done.states()["make"] == "succeeded"
    assert done.logs["use"].startswith("pod: failed to prepare subPath for volumeMount: ")


@USERS
@pytest.mark.parametrize("volume", [None, "nas"])
def test_an_output_that_was_not_written_fails_the_task_that_should_have(
    folder: Path, user: int, volume: str | None
) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [job("make", "true"), job("use", "ls /in")],
            "arrows": [arrow("make", "/out", "use", "/in", volume=volume)],
        },
        folder,
        user,
    )
    assert done.codes["make"] == 65
    assert "kade2kfp: the command left no folder /out" in done.logs["make"]
    assert "use" not in done.codes


@USERS
def test_a_retry_begins_with_empty_outputs(folder: Path, user: int) -> None:
    done = run(
        {
            "tasks": [
                job("make", "ls /out; [ -e /tmp/second ] && { echo good > /out/b; exit; }; : > /tmp/second; echo bad > /out/a; exit 7",
                    retry={"limit": 1}),
                job("use", "ls /in"),
            ],
            "arrows": [arrow("make", "/out", "use", "/in")],
        },
        folder,
        user,
    )  # fmt: skip
    assert done.codes == {"make": 0, "use": 0}, done.logs
    assert done.logs["use"] == "b\n"
    assert "exited with code 7" in done.logs["make"]


def test_nothing_of_the_users_own_volume_is_ever_deleted(folder: Path) -> None:
    """An arrow from a folder of a mounted volume carries what is there; other files of it stay."""
    (folder / "claims/nas/results").mkdir(parents=True)
    (folder / "claims/nas/results/old.txt").write_text("old")
    document = {
        "apiVersion": "kade2kfp/v1",
        "name": "flow",
        "volumes": [{"id": "nas", "claimName": "nas"}],
        "defaults": {"image": "python:3.11-slim"},
        "tasks": [
            job("make", "echo new > /nas/results/new.txt", volumes=[{"id": "nas", "mountPath": "/nas"}]),
            job("copy", "ls /in", inherit=False),
            job("share", "ls /in", inherit=False),
        ],
        "arrows": [
            arrow("make", "/nas/results", "copy", "/in"),
            arrow("make", "/nas/results", "share", "/in", volume="nas"),
        ],
    }
    compiled = compile(parse(json.dumps(document)))
    assert compiled.yaml is not None, compiled.diagnostics
    done = execute(compiled.yaml, folder)
    assert done.logs["copy"] == done.logs["share"] == "new.txt\nold.txt\n", done.logs


def test_an_empty_folder_is_made_where_it_did_not_arrive(folder: Path) -> None:
    done = run(
        {
            "tasks": [job("make", "mkdir /out/empty; echo x > /out/x"), job("use", "ls /in; touch /in/mine")],
            "arrows": [arrow("make", "/out", "use", "/in")],
        },
        folder,
    )
    assert done.logs["use"] == "x\n"


@USERS
def test_folders_and_links_arrive_as_files_that_a_walk_finds(folder: Path, user: int) -> None:
    script = (
        "mkdir -p /out/a/b /tmp/data/deep; echo 1 > /out/a/b/one; echo 2 > /tmp/data/deep/two\n"
        "ln -s a /out/latest; ln -s /tmp/data /out/a/all; ln -s a/b/one /out/file"
    )
    done = run(
        {
            "tasks": [
                job("make", script),
                # What arrived goes on, as it is and by a link.
                job("pass", "cp -R /in/. /on; ln -s /in /on/again"),
                job("use", "cd /in; find . -type f -o -type l | sort; cat again/latest/all/deep/two"),
            ],
            "arrows": [arrow("make", "/out", "pass", "/in"), arrow("pass", "/on", "use", "/in")],
        },
        folder,
        user,
    )
    assert done.codes == {"make": 0, "pass": 0, "use": 0}, done.logs
    files = ["a/all/deep/two", "a/b/one", "file", "latest/all/deep/two", "latest/b/one"]
    whole = sorted(f"./{above}{file}" for above in ("", "again/") for file in files)
    assert done.logs["use"].splitlines() == [*whole, "2"]


@pytest.mark.parametrize("link", ["/nowhere", "."])
@pytest.mark.parametrize("path", ["/out", "/nas/out"])
def test_a_link_that_kfp_would_stumble_over_fails_the_task_that_made_it(folder: Path, path: str, link: str) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [
                job("make", f"cd {path}; touch a z; ln -s {link} link", volumes=[{"id": "nas", "mountPath": "/nas"}]),
                job("use", "ls /in", inherit=False),
            ],
            "arrows": [arrow("make", path, "use", "/in")],
        },
        folder,
    )
    assert done.codes["make"] == 65, done.logs
    assert f"kade2kfp: the command left {path}/link, " in done.logs["make"]
    assert "use" not in done.codes


def test_a_command_without_needs_runs_without_a_shell(folder: Path) -> None:
    compiled = compile(
        parse(
            json.dumps(
                {
                    "apiVersion": "kade2kfp/v1",
                    "name": "bare",
                    "tasks": [
                        {"id": "t", "type": "job", "image": "scratch:1", "command": ["/usr/bin/printf", "%s", "a b"]}
                    ],
                }
            )
        )
    )
    assert compiled.yaml is not None
    assert "sh" not in compiled.yaml.split()
    assert execute(compiled.yaml, folder).logs["t"] == "a b"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def archive(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "iris.zip", "w") as made:
        made.writestr("iris.data", "5.1,3.5,1.4,0.2,Iris-setosa\n")
        made.writestr("more/names.txt", "irises")
    return folder / "iris.zip"


@USERS
@pytest.mark.parametrize("volume", [None, "nas"])
def test_load_data_downloads_unpacks_and_hands_on(folder: Path, user: int, volume: str | None) -> None:
    archive(folder / "www")
    handler = partial(_Quiet, directory=str(folder / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run(
            {
                "parameters": [{"name": "url", "type": "string"}],
                "volumes": [{"id": "nas", "claimName": "nas"}],
                "tasks": [
                    {"id": "get", "type": "loadData", "url": "{{params.url}}", "source": "http", "path": "/data"},
                    job("use", "cat /in/iris.data /in/more/names.txt"),
                ],
                "arrows": [arrow("get", "/data", "use", "/in", volume=volume)],
            },
            folder,
            user,
            url=f"http://127.0.0.1:{server.server_port}/iris.zip",
        )
        server.shutdown()
    assert done.logs["use"] == "5.1,3.5,1.4,0.2,Iris-setosa\nirises", done.logs


@pytest.mark.parametrize("whole", [True, False], ids=["the archive", "its folder"])
def test_load_data_unpacks_what_an_object_store_holds(folder: Path, whole: bool) -> None:
    archive(folder / "bucket/bucket/raw")
    done = run(
        {
            "parameters": [{"name": "url", "type": "string"}],
            "tasks": [
                {"id": "get", "type": "loadData", "url": "{{params.url}}", "source": "store", "path": "/data"},
                job("use", "ls -R /in"),
            ],
            "arrows": [arrow("get", "/data", "use", "/in")],
        },
        folder,
        url="s3://bucket/raw/iris.zip" if whole else "s3://bucket/raw",
    )
    assert done.codes["use"] == 0, done.logs
    assert ("iris.data" in done.logs["use"]) is whole
    assert ("iris.zip" in done.logs["use"]) is not whole
