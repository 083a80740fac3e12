"""Documents and steps that want more than is theirs. What lies in `victim` is never read, moved or changed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from running import arrow, job, run, then

SECRET = "OF-THIS-MACHINE"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    folder = tmp_path / "victim"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "key").write_text(SECRET)
    (folder / "key").write_text(SECRET)
    (folder / "data").chmod(0o700)
    return folder


def nothing_lost(home: Path, victim: Path) -> None:
    assert sorted(os.listdir(victim)) == ["data", "key"]
    assert (victim / "data").stat().st_mode & 0o777 == 0o700
    assert (victim / "data/key").read_text() == SECRET
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and "environments" not in path.parts:
            assert SECRET.encode() not in path.read_bytes(), path


VALUE = {"outputs": [{"name": "v", "type": "string", "path": "/o"}]}
METRICS = {"metrics": "/m.json"}


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        ("echo h > /o; rm -f /kade/out/values/0; ln -s {v}/key /kade/out/values/0", VALUE),
        ("echo h > /o; rm -rf /kade/out/values; ln -s {v}/data /kade/out/values", VALUE),
        ("echo h > /o; rm -f /kade/out/values/0; mkfifo /kade/out/values/0", VALUE),
        ("echo h > /o; rm -f /kade/out/values/0; ln -s /dev/zero /kade/out/values/0", VALUE),
        ("echo '{{\"a\": 1}}' > /m.json; rm -rf /kade/out/0; ln -s {v}/data /kade/out/0", METRICS),
        ("echo '{{\"a\": 1}}' > /m.json; ln -sf {v}/key /kade/out/0/data", METRICS),
    ],
)
def test_what_is_handed_over_is_no_link(home: Path, victim: Path, script: str, fields: dict[str, Any]) -> None:
    # What step.sh writes at its end would take the place of the link, so a child comes after it.
    late = script.format(v=victim)
    quick = f"({late}) 2>/dev/null\n(while :; do {late}; done) >/dev/null 2>&1 &\nsleep 0.2"
    run(home, [job("leak", quick.replace("{{", "{").replace("}}", "}"), **fields)], timeout="20s")
    nothing_lost(home, victim)


def test_a_folder_for_an_artifact_is_no_link(home: Path, victim: Path) -> None:
    script = f"echo x > /out/x; rm -rf /kade/out/0; ln -s {victim} /kade/out/0"
    done = run(home, [job("a", script), job("b", "cat /in/*")], [arrow("a", "/out", "b", "/in")])
    assert done.code == 3
    nothing_lost(home, victim)


def test_a_file_on_a_volume_is_no_link(home: Path, victim: Path) -> None:
    done = run(
        home,
        [job("a", f"ln -s {victim}/key /out/file.txt"), job("b", "cat /in/file.txt")],
        [arrow("a", "/out/file.txt", "b", "/in/file.txt", volume="nas")],
        volumes=[{"id": "nas", "claimName": "nas"}],
    )
    assert done.code == 3
    assert "K7" in done.err
    nothing_lost(home, victim)


def test_a_mount_within_a_volume_makes_no_folder_elsewhere(home: Path, victim: Path) -> None:
    claim = {"id": "nas", "mountPath": "/v"}
    done = run(
        home,
        [
            job("a", f"ln -s /oldroot{victim} /v/x; ln -s {victim} /v/y", volumes=[claim]),
            job("b", "true", volumes=[claim, {"emptyDir": {}, "mountPath": "/v/x/new"}]),
            job("c", "true", volumes=[claim, {"emptyDir": {}, "mountPath": "/v/y/new"}]),
        ],
        [then("a", "b"), then("a", "c")],
        volumes=[{"id": "nas", "claimName": "nas"}],
    )
    assert done.statuses() == {"a": "succeeded", "b": "failed", "c": "failed"}
    assert done.err.count("error[K717]") == 2
    nothing_lost(home, victim)


def test_a_sub_path_that_is_swapped_is_not_mounted(home: Path, victim: Path) -> None:
    swap = f"""mkdir -p /v/sub; ln -s {victim} /v/link
import_ctypes='import ctypes,time
libc = ctypes.CDLL(None); end = time.time() + 3
while time.time() < end: libc.renameat2(-100, b"/v/sub", -100, b"/v/link", 2)'
touch /v/ready; python -c "$import_ctypes"
"""
    readers = [
        job(
            f"r{number}",
            "cat /s/key; echo pwned > /s/pwned; true",
            volumes=[{"id": "nas", "mountPath": "/s", "subPath": "sub"}],
            cache=False,
        )
        for number in range(15)
    ]
    run(
        home,
        [job("swap", swap, volumes=[{"id": "nas", "mountPath": "/v"}]), *readers],
        None,
        "--jobs",
        "2",
        volumes=[{"id": "nas", "claimName": "nas"}],
    )
    nothing_lost(home, victim)


def test_the_file_of_secrets_and_hidden_files_are_not_data(home: Path) -> None:
    (home / "secrets.yaml").write_text("secrets: {a: {b: " + SECRET + "}}")
    (home / ".keys").mkdir()
    (home / ".keys" / "id").write_text(SECRET)
    for name in ("secrets.yaml", ".keys/id"):
        task = {"id": "get", "type": "loadData", "url": f"file://{home}/{name}", "path": "/data"}
        done = run(
            home,
            [task, job("b", "cat /in/*")],
            [arrow("get", "/data", "b", "/in")],
            "--secrets",
            f"{home}/secrets.yaml",
        )
        assert done.code == 3, name
        assert "error[K718]" in done.err
        assert SECRET not in done.out + done.err


def test_a_copy_is_not_left_by_dots(home: Path, victim: Path) -> None:
    (home / "copy").mkdir()
    task = {"id": "get", "type": "loadData", "url": "s3://bucket/x/../../../victim/key", "path": "/data"}
    done = run(
        home, [task, job("b", "cat /in/*")], [arrow("get", "/data", "b", "/in")], "--copy", f"s3://bucket={home}/copy"
    )
    assert done.code == 1
    assert "error[K703]" in done.err
    nothing_lost(home, victim)


def test_a_box_makes_no_user_namespace_of_its_own(home: Path) -> None:
    done = run(
        home, [job("a", "unshare -U true && exit 1; ls /proc/self/fd; true", securityContext={"runAsUser": 1000})]
    )
    assert done.code == 0, done.err
    assert done.log("a").split()[-4:] == ["0", "1", "2", "3"]  # 3 is the folder that ls reads
