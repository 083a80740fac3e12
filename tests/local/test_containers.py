from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import engines
from engines import BARE_IMAGE, IMAGE, USER_IMAGE, box, run, script

from kade2kfp.local.containers import Containers, find, leftovers
from kade2kfp.local.containers.options import memory_folders
from kade2kfp.local.engine import Bind, Box, CannotStartError, Empty, Files, Limits


@pytest.fixture(scope="session")
def places() -> Iterator[dict[str, dict[str, str] | str]]:
    """Engines are started when a test first asks for them, and ended after the last one."""
    with ExitStack() as stack:

        class Lazy(dict[str, dict[str, str] | str]):
            def __missing__(self, name: str) -> dict[str, str] | str:
                self[name] = stack.enter_context(getattr(engines, name)())
                return self[name]

        yield Lazy()


@pytest.fixture(params=["podman", "docker"])
def engine(
    request: pytest.FixtureRequest, places: Mapping[str, dict[str, str] | str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Containers]:
    place = places[request.param]
    if isinstance(place, str):
        pytest.skip(place)
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    found = find(request.param, str(uuid.uuid4()))
    assert not isinstance(found, str), found
    yield found
    assert leftovers(found, found.run_id) == 0


def processes_showing(text: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:
            continue
        if text.encode() in line:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_runs_the_command_in_place_of_the_images_own(engine: Containers, tmp_path: Path) -> None:
    wanted = box(tmp_path, "printf", "%s|", "a b", "", "--rm", "$HOME", "q\"'", "ü\n", hostname="local-train")
    assert run(engine, wanted) == (0, "a b||--rm|$HOME|q\"'|ü\n|")
    assert run(engine, script(tmp_path, "hostname; echo $FROM_IMAGE; wc -c", hostname="local-train")) == (
        0,
        "local-train\nyes\n0\n",
    )


def test_variables_arrive_whole_and_are_not_seen_nor_taken_by_the_client(engine: Containers, tmp_path: Path) -> None:
    secret = f"s3cret-{uuid.uuid4()}"
    env = {
        "PLAIN": secret,
        "LINES": f"-----BEGIN\n{secret}\r\n\n#x=1\n",
        "QUOTED": f'"{secret}"',
        "EMPTY": "",
        "SPACES": "  a = b  ",
        "LONG": secret + "x" * 100_000,
        "PATH": "/bin",
        "HOME": "/nowhere",
        "DOCKER_HOST": "tcp://192.0.2.1:1",
        "CONTAINER_HOST": "tcp://192.0.2.1:1",
        "LD_PRELOAD": "",
    }
    out = tmp_path / "out"
    out.mkdir()
    text = "cat /proc/self/environ > /out/env; touch /out/there; while [ -e /out/there ]; do sleep 0.05; done"
    seen: list[str] = []

    def look() -> None:
        until = time.monotonic() + 20
        while not (out / "there").exists() and time.monotonic() < until:
            seen.extend(processes_showing(secret))
        seen.extend(processes_showing(secret))
        (out / "there").unlink(missing_ok=True)

    looker = threading.Thread(target=look)
    looker.start()
    code, log = run(engine, script(tmp_path, text, env=env, mounts=(Bind(out, "/out"),)))
    looker.join()
    assert (code, log, seen) == (0, "", [])
    arrived = dict(one.split("=", 1) for one in (out / "env").read_bytes().decode().split("\0") if one)
    assert {name: arrived.get(name) for name in env} == env
    code, log = run(engine, box(tmp_path, "env", env={"a.b-c": "dotted", "PATH": "/bin"}))
    assert (code, "a.b-c=dotted" in log.splitlines()) == (0, True)


def test_mounts_at_any_path_and_read_only_is_read_only(engine: Containers, tmp_path: Path) -> None:
    odd = tmp_path / 'a,b:c"d e'
    for name in ("in", "out"):
        (odd / name).mkdir(parents=True)
    (odd / "in/data").write_text("data\n")
    mounts = (
        Bind(odd / "in", "/in,1", read_only=True),
        Bind(odd / "out", '/con2/o"ut'),
        Bind(odd / "in/data", '/con2/o"ut/one', read_only=True),
        Empty("/empty"),
        Empty("/dev/shm", in_memory=True, size=1 << 20),
        Empty("/memory", in_memory=True, size=1 << 20),
    )
    text = """
cat /in,1/data; touch /in,1/x 2>/dev/null && echo wrote
cat '/con2/o"ut/one' > '/con2/o"ut/two'
echo 1 > /empty/x; echo 1 > /memory/x; head -c 2000000 /dev/zero > /memory/y 2>/dev/null || echo full
printf '#!/bin/sh\\necho runs\\n' > /dev/shm/run; chmod 755 /dev/shm/run; /dev/shm/run
stat -c %a /empty /memory
"""
    assert run(engine, script(tmp_path, text, mounts=mounts)) == (0, "data\nfull\nruns\n777\n1777\n")
    assert (odd / "out/two").read_text() == "data\n"
    assert (tmp_path / "scratch/empty-3/x").read_text() == "1\n"


def test_a_mount_whose_source_is_gone_is_no_fault_of_the_command(engine: Containers, tmp_path: Path) -> None:
    wanted = script(tmp_path, "echo ran", mounts=(Bind(tmp_path / "gone", "/in", read_only=True),))
    try:
        code, log = run(engine, wanted)
    except CannotStartError as error:
        code, log = 125, str(error)
    assert code == 125
    assert "gone" in log


def test_secret_files_are_in_memory_for_any_user_and_gone_afterwards(engine: Containers, tmp_path: Path) -> None:
    secret = f"s3cret-{uuid.uuid4()}".encode()
    files = Files("/secret", {"token": secret, "..data": b"\0\xff"})
    text = "cat /secret/token; touch /secret/x 2>/dev/null && echo wrote; stat -c ' %a %n' /secret/* /secret/..data; sleep 1"
    with tempfile.TemporaryFile() as log:
        running = engine.start(script(tmp_path, text, mounts=(files,), user=4321), log.fileno())
        made = [path for base in memory_folders() for path in base.glob(f"kade2kfp-secret-{engine.run_id}-*")]
        assert [path.stat().st_mode & 0o777 for path in made] == [0o700]
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]
        code = running.wait(20)
        running.close()
        log.seek(0)
        assert (code, log.read()) == (0, secret + b" 444 /secret/token\n 444 /secret/..data\n")
    assert not made[0].exists()
    for name in ("../x", "", "a/b"):
        with pytest.raises(CannotStartError):
            engine.start(script(tmp_path, "true", mounts=(Files("/s", {name: secret}),)), 2)


def test_user_group_and_rights(engine: Containers, tmp_path: Path) -> None:
    text = "echo `id -u`:`id -g`; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status"
    none = "NoNewPrivs:\t1\n"
    for changes, ids in (
        ({}, "0:0"),
        ({"user": 1000}, "1000:0"),
        ({"user": 1000, "group": 100}, "1000:100"),
        ({"image": USER_IMAGE}, "1234:1234"),
        ({"image": USER_IMAGE, "group": 99}, "1234:99"),
        ({"image": USER_IMAGE, "user": 0}, "0:0"),
    ):
        code, log = run(engine, script(tmp_path, text, **changes))
        assert (code, log.splitlines()[0]) == (0, ids)
        assert none in log
        if os.geteuid() == 0:
            assert "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n" in log


def test_an_images_own_user_can_write_to_the_runs_folders(engine: Containers, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    mounts = (Bind(out, "/out"), Empty("/empty"))
    wanted = script(tmp_path, "echo 1 > /out/x && echo 2 > /empty/x", image=USER_IMAGE, mounts=mounts)
    assert run(engine, wanted) == (0, "")
    assert (out / "x").read_text() == "1\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 3", 3), ("exit 125", 125), ("exit 127", 127), ("kill -9 $$", 137), ("exit 255", 255)],
)
def test_exit_codes_are_the_commands(engine: Containers, tmp_path: Path, command: str, code: int) -> None:
    if command.startswith("kill") and not engine.init:
        pytest.skip("without an init the command is the container's first process, which its own signals do not end")
    assert run(engine, script(tmp_path, f"echo before; ( {command} ); {command}")) == (code, "before\n")


def test_commands_that_cannot_be_started(engine: Containers, tmp_path: Path) -> None:
    # Podman's own init has no codes for this.
    known = not any(option.endswith("catatonit") for option in engine.init)
    code, log = run(engine, box(tmp_path, "no-such-command", "x"))
    assert code == (127 if known else 1)
    assert log
    code, log = run(engine, box(tmp_path, "/etc/passwd"))
    assert code == (126 if known else 1)
    assert log


@pytest.mark.parametrize("image", ["localhost/kade2kfp-none:1", "--privileged", "-v/:/host", "Not An Image"])
def test_an_image_that_is_not_there(engine: Containers, tmp_path: Path, image: str) -> None:
    assert engine.image_digest(image) == ""
    with pytest.raises(CannotStartError) as caught:
        engine.start(script(tmp_path, "echo ran", image=image, pull_policy="Never"), 2)
    assert image in str(caught.value)
    assert "pull" in caught.value.help


def test_digests_tell_images_apart(engine: Containers) -> None:
    digests = {engine.image_digest(image) for image in (IMAGE, USER_IMAGE, BARE_IMAGE)}
    assert len(digests) == 3
    assert all(len(one.removeprefix("sha256:")) == 64 for one in digests)


def test_both_streams_arrive_whole(engine: Containers, tmp_path: Path) -> None:
    text = """
i=0; while [ $i -lt 300 ]; do echo $i; echo e$i >&2; i=$((i+1)); done
printf '\\377\\0end\\n'; head -c 3000000 /dev/zero
"""
    with tempfile.TemporaryFile() as log:
        running = engine.start(script(tmp_path, text), log.fileno())
        assert running.wait(30) == 0
        running.close()
        log.seek(0)
        said = log.read()
    assert b"\xff\0end\n" in said
    assert said.count(b"\0") == 3_000_001
    lines = said.replace(b"\0", b"").split()
    assert [line for line in lines if line.isdigit()] == [b"%d" % i for i in range(300)]
    assert [line for line in lines if line[:1] == b"e" and line != b"end"] == [b"e%d" % i for i in range(300)]


def started(engine: Containers, tmp_path: Path, text: str) -> tuple[object, Path]:
    out = tmp_path / "out"
    out.mkdir()
    return script(tmp_path, f"touch /out/up; {text}", mounts=(Bind(out, "/out"),)), out / "up"


def until(there: Path) -> None:
    limit = time.monotonic() + 20
    while not there.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    assert there.exists()


def test_terminate_asks_and_the_command_may_answer(engine: Containers, tmp_path: Path) -> None:
    wanted, up = started(engine, tmp_path, "trap 'echo bye; exit 9' TERM; touch /out/set; while :; do sleep 0.05; done")
    with tempfile.TemporaryFile() as log:
        running = engine.start(wanted, log.fileno())
        until(up.parent / "set")
        assert running.wait(0.1) is None
        running.terminate()
        assert running.wait(10) == 9
        running.close()
        log.seek(0)
        assert log.read() == b"bye\n"


def test_kill_ends_all_that_the_command_started(engine: Containers, tmp_path: Path) -> None:
    mark = f"{time.time_ns() % 10**9 + 10**9}"
    wanted, up = started(engine, tmp_path, f"trap '' TERM; sleep {mark} & sleep {mark} & touch /out/up2; wait; wait")
    running = engine.start(wanted, 2)
    until(up.parent / "up2")
    running.terminate()
    assert running.wait(0.5) is None
    running.kill()
    assert running.wait(10) == 137
    running.close()
    assert [line for line in processes_showing(mark) if line.startswith("sleep")] == []


def test_kill_at_once_and_close_without_waiting(engine: Containers, tmp_path: Path) -> None:
    began = time.monotonic()
    running = engine.start(box(tmp_path, "sleep", "1000"), 2)
    running.kill()
    assert running.wait(10) == 137
    running.close()
    engine.start(box(tmp_path, "sleep", "1000"), 2).close()
    assert time.monotonic() - began < 30


def test_what_a_killed_runner_left_is_removed(engine: Containers, tmp_path: Path) -> None:
    wanted, up = started(engine, tmp_path, "sleep 1000")
    wanted = replace(wanted, mounts=(*wanted.mounts, Files("/secret", {"a": b"b"})))
    other = replace(engine, run_id=str(uuid.uuid4()))
    kept = other.start(box(tmp_path, "sleep", "1000"), 2)
    running = engine.start(wanted, 2)
    until(up)
    assert leftovers(engine, engine.run_id) == 1
    assert leftovers(engine, engine.run_id) == 0
    assert not [path for base in memory_folders() for path in base.glob(f"kade2kfp-secret-{engine.run_id}-*")]
    assert running.wait(10) not in (0, None)
    running.close()
    assert kept.wait(0.2) is None
    kept.kill()
    kept.close()
    assert leftovers(replace(engine, run_id=""), "") == 0


def test_limits_do_not_stop_a_step_from_starting(engine: Containers, tmp_path: Path) -> None:
    for limits in (Limits(cpus=1000.0, memory=1), Limits(cpus=0.001, memory=1 << 30)):
        assert run(engine, script(tmp_path, "echo ran", limits=limits)) == (0, "ran\n")


def as_other_user(engine: Containers, home: Path) -> None:
    """What an ordinary user's runner does; all that it finds afterwards must be the user's own."""
    for number, image, text in (
        (
            1,
            IMAGE,
            "umask 077; mkdir -p /out/a/b; echo 1 > /out/a/b/c; echo 2 > /out/mine/x; ln -s /etc/passwd /out/a/l",
        ),
        (2, USER_IMAGE, "echo 3 >> /out/a/b/c; echo 4 > /out/a/b/d; echo 5 > /empty/x"),
        (3, IMAGE, "echo 6 >> /out/a/b/d; rm /out/mine/x"),
    ):
        scratch, out = home / f"scratch{number}", home / "out"
        scratch.mkdir()
        (out / "mine").mkdir(parents=True, exist_ok=True)
        wanted = Box("step", image, ("sh", "-c", text), {}, (Bind(out, "/out"), Empty("/empty")), scratch)
        assert run(engine, wanted) == (0, "")
        assert {path.lstat().st_uid for path in (out, *out.rglob("*"), *scratch.rglob("*"))} == {os.getuid()}
    assert (home / "out/a/b/c").read_text() + (home / "out/a/b/d").read_text() == "1\n3\n4\n6\n"
    assert os.readlink(home / "out/a/l") == "/etc/passwd"
    shutil.rmtree(home / "out")
    (home / "bare").mkdir()
    (home / "bare/mine").touch(0o600)
    for image, command, owner in (
        (BARE_IMAGE, ("touch", "/out/x"), 0),
        (IMAGE, ("sh", "-c", "echo 1 > /out/y"), os.getuid()),
    ):
        # There is nothing in the first image that could hand the file back.
        wanted = Box("step", image, command, {}, (Bind(home / "bare", "/out"),), home)
        assert run(engine, wanted) == (0, "")
        assert (home / "bare/x").stat().st_uid == owner
    assert (home / "bare/mine").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_files_of_the_containers_users_come_back_to_an_ordinary_caller(engine: Containers) -> None:
    if engine.podman:
        pytest.skip("the test's podman is root's")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 4567, 4567)
        # A fork, since another user may not be able to read the Python that runs the tests.
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setresgid(4567, 4567, 4567)
                os.setresuid(4567, 4567, 4567)
                os.chdir("/")
                os.environ["HOME"] = tempfile.tempdir = folder
                as_other_user(engine, Path(folder))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0


def test_a_docker_that_is_podman_is_spoken_to_as_podman(
    places: Mapping[str, dict[str, str] | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places["podman"]
    if isinstance(place, str):
        pytest.skip(place)
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "docker").write_text('#!/bin/sh\nexec podman "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = find("docker", "run")
    assert isinstance(found, Containers)
    assert (found.name, found.podman) == ("docker", True)
    assert run(found, script(tmp_path, "echo ran")) == (0, "ran\n")
