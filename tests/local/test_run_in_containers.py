"""A whole run with containers in the place of processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from engines import IMAGE, podman
from running import arrow, call, document, job


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with podman() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


def test_a_pipeline_runs_in_its_images(home: Path, variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("secrets: {login: {password: hunter2}}")
    (tmp_path / "s.yaml").chmod(0o600)
    path = document(
        home,
        [
            job(
                "make",
                "echo deep > /out/a; mkdir /out/sub; ln -s /out/a /out/sub/link; echo m > /tmp/model.pkl; echo v > /vol/v\n"
                'echo 3 > /tmp/n.txt; echo "$PW"; cat /login/password; id -u',
                outputs=[{"name": "n", "type": "integer", "path": "/tmp/n.txt"}],
                env=[{"name": "PW", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}],
                volumes=[{"secret": "login", "mountPath": "/login"}],
            ),
            job(
                "use",
                "cat /in/a /in/sub/link /tmp/models/model.pkl /v/v; echo $1; test ! -e /out",
                args=["{{tasks.make.outputs.n}}"],
            ),
            job("fail", "echo last words; exit 7"),
            {"id": "none", "type": "job", "command": ["no-such-command"]},
        ],
        [
            arrow("make", "/out", "use", "/in"),
            arrow("make", "/tmp/model.pkl", "use", "/tmp/models/model.pkl"),
            arrow("make", "/vol", "use", "/v", volume="work"),
        ],
        defaults={"image": IMAGE, "imagePullPolicy": "Never"},
        volumes=[{"id": "work", "create": {"size": "1Gi"}}],
    )
    done = call(home, "run", str(path), "--engine", "podman", "--secrets", str(tmp_path / "s.yaml"), env=variables)
    assert done.code == 3, done.err
    assert done.statuses() == {
        "make": "succeeded",
        "use": "succeeded",
        "fail": "failed",
        "none": "failed",
    }, done.err
    assert done.log("make") == "***\n***0\n"
    assert done.log("use") == "deep\ndeep\nm\nv\n3\n"
    assert "exited with code 7" in done.err
    assert "last words" in done.err
    failure = done.step("none").failure
    assert failure is not None
    assert failure.code == "K714"
    again = call(home, "run", str(path), "--engine", "podman", "--secrets", str(tmp_path / "s.yaml"), env=variables)
    assert again.step("make").status == "succeeded"  # it writes to a volume
    assert b"hunter2" not in b"".join(one.read_bytes() for one in done.folder.rglob("*") if one.is_file())
