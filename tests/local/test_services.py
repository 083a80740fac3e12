"""Servings of real runs: what those who send requests notice of what is done with them, which is nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local.secrets import Objects
from kade2kfp.local.services.boxed import LOG_LIMIT
from kade2kfp.local.services.folders import is_kept, read_record
from kade2kfp.steps.model import Example
from kade2kfp.steps.parts import EnvFrom, SecretMount

from .running import ROOT
from .service_sample import (
    SERVER,
    asking,
    begin,
    carried_out,
    end_servings,
    get,
    gone,
    job,
    processes,
    services,
    serving,
    the_serving,
    version_at,
)

FAILING: list[tuple[dict[str, Any], str]] = [
    ({"env": {"DOES": "exits"}}, "its server exited with code 3: no model.pkl"),
    (
        {"env": {"DOES": "never"}, "service": {"ready_timeout": 1}},
        "it was not ready within 1 s: GET /readyz got status 503",
    ),
    ({"env": {"DOES": "bad-example"}}, 'the example, posted to /predict, got: 500 {"error": "no such column"}'),
    ({"server": {"command": (("no-such-program",),)}}, "no-such-program"),
    (
        {
            "server": {"command": (("sh",), ("-c",), ("while :; do head -c 100000 /dev/zero; done",))},
            "service": {"ready_timeout": 1},
        },
        "it was not ready within 1 s: GET /readyz got ",
    ),
]


@pytest.fixture(autouse=True)
def _nothing_is_left(home: Path) -> Iterator[None]:
    yield
    end_servings(home)
    gone(home)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        found: int = one.getsockname()[1]
        return found


def test_a_new_version_takes_over_and_nobody_who_sends_requests_notices(home: Path) -> None:
    done = carried_out(home, serving(), serving("other"))
    assert done.state.status == "succeeded", done.step().failure
    view, other = the_serving(home), the_serving(home, "other")
    assert done.step().outputs == {"url": f"http://127.0.0.1:{view.port}", "version": view.version}
    assert done.step().note == f"http://127.0.0.1:{view.port}"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", view.version)
    assert version_at(view.port) == view.version
    with asking(view.port) as asked:
        services(home).pause(other)
        second = carried_out(home, serving(env={"AFTER": "0.5"}))
        assert second.state.status == "succeeded", second.step().failure
        time.sleep(0.3)
    now = the_serving(home)
    assert (now.port, now.versions, now.run) == (view.port, (view.version,), second.state.name)
    assert asked.failures == []
    assert set(asked.versions) == {view.version, now.version}
    assert asked.versions[-1] == now.version == second.step().outputs["version"]
    # The old one ends, and with it what it has written.
    until = time.monotonic() + 10
    while len(list((Path(view.handle) / "boxes").iterdir())) > 1:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(("new", "why"), FAILING)
def test_a_version_that_does_not_get_ready_changes_nothing(home: Path, new: dict[str, Any], why: str) -> None:
    first = carried_out(home, serving())
    view = the_serving(home)
    with asking(view.port) as asked:
        second = carried_out(home, serving(**new))
    assert second.state.status == "failed"
    failure = second.step().failure
    assert failure is not None
    assert failure.code == "K726"
    assert why in failure.message
    assert failure.message.endswith(f"; version {view.version} still answers")
    assert "\n" not in failure.message
    assert asked.failures == []
    assert set(asked.versions) == {view.version}
    now = the_serving(home)
    assert (now.state, now.version, now.versions, now.run) == ("running", view.version, (), first.state.name)
    assert (second.folder / "logs/endpoint/server.log").exists()
    assert len(list((Path(view.handle) / "boxes").iterdir())) == 1


def test_a_first_version_that_fails_leaves_nothing(home: Path) -> None:
    done = carried_out(home, serving(env={"DOES": "exits"}))
    failure = done.step().failure
    assert failure is not None
    assert failure.message.endswith("its server exited with code 3: no model.pkl; no version answers")
    assert failure.tail[-1] == "no model.pkl"
    assert failure.help == f"all that it printed: {done.folder / 'logs/endpoint/server.log'}"
    gone(home)
    assert list((home / "services").iterdir()) == []
    with pytest.raises(CannotDoError, match="'endpoint' has failed, and nothing answers: version "):
        services(home).find("serving", done.state.name, "endpoint")
    assert carried_out(home, serving()).state.status == "succeeded"


def test_earlier_versions_are_gone_back_to(home: Path) -> None:
    versions = []
    for mark in ("one", "two", "three"):
        carried_out(home, serving(env={"MARK": mark}))
        versions.append(the_serving(home).version)
    one, two, three = versions
    view = the_serving(home)
    assert view.versions == (two, one)
    with asking(view.port) as asked:
        said = services(home).rollback(view, None, 20)
        assert said == f"'flow-endpoint' answers by version {two} again, at http://127.0.0.1:{view.port}"
        assert get(view.port)[1] == {"version": two, "mark": "two"}
        services(home).rollback(the_serving(home), one, 20)
        assert get(view.port)[1]["mark"] == "one"
        with pytest.raises(CannotDoError, match=f"there is no version before {one}"):
            services(home).rollback(the_serving(home), None, 20)
        with pytest.raises(CannotDoError, match=f"{one} answers already"):
            services(home).rollback(the_serving(home), one, 20)
        with pytest.raises(CannotDoError, match="there is no version 4"):
            services(home).rollback(the_serving(home), "4", 20)
        services(home).rollback(the_serving(home), three, 20)
    assert asked.failures == []
    assert set(asked.versions) == {one, two, three}


def test_a_version_that_does_not_come_back_changes_nothing(home: Path) -> None:
    folder = home / "volumes"
    # Its server starts only while a file is there, as one does whose Bento has been removed.
    script = f"test -e /usr/bin/env && cat {folder}/x; exit 4"
    carried_out(home, serving())
    first = the_serving(home).version
    carried_out(home, serving())
    view = the_serving(home)
    path = Path(view.handle)
    services(home).pause(view)
    keeper_of(view.handle, kill=True)
    told = json.loads((path / "service.json").read_text())
    told["versions"][1]["box"]["command"] = ["sh", "-c", script]
    (path / "service.json").write_text(json.dumps(told))
    services(home).resume(the_serving(home))
    with asking(view.port) as asked, pytest.raises(CannotDoError) as error:
        services(home).rollback(the_serving(home), first, 20)
    assert str(error.value).endswith(f"No such file or directory; version {view.version} still answers")
    assert asked.failures == []
    assert set(asked.versions) == {view.version}


def test_only_some_versions_are_remembered_and_the_one_that_answers_is_among_them(home: Path) -> None:
    for _ in range(7):
        assert carried_out(home, serving(service={"example": None})).state.status == "succeeded"
    view = the_serving(home)
    assert len(view.versions) == 4
    assert version_at(view.port) == view.version
    assert len(list((Path(view.handle) / "logs").iterdir())) <= 6


def test_a_port_that_is_in_use(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = carried_out(home, serving(service={"port": port, "own_port": True}))
        failure = done.step().failure
        assert failure is not None
        assert (failure.code, failure.message) == (
            "K727",
            f"port {port} of this machine is in use by another program; no version answers",
        )
        gone(home)
        assert list((home / "services").iterdir()) == []
        carried_out(home, serving())
        before = the_serving(home)
        with asking(before.port) as asked:
            done = carried_out(home, serving(service={"port": port, "own_port": True}))
        failure = done.step().failure
        assert failure is not None
        assert failure.message.endswith(f"is in use by another program; version {before.version} still answers")
        assert asked.failures == []
        assert the_serving(home) == before
        # Nothing of it hangs: the next one is deployed.
        assert carried_out(home, serving()).state.status == "succeeded"


def test_the_port_that_a_document_names_moves_and_is_no_conflict_with_itself(home: Path) -> None:
    first, second = free_port(), free_port()
    for port in (first, first, second):
        done = carried_out(home, serving(service={"port": port, "own_port": True}))
        assert done.step().outputs["url"] == f"http://127.0.0.1:{port}", done.step().failure
    with pytest.raises(ConnectionRefusedError):
        get(first)
    done = carried_out(home, serving("rival", service={"port": second, "own_port": True}), slug="rivals")
    failure = done.step("rival").failure
    assert failure is not None
    assert "in use by another program: the serving flow-endpoint has it" in failure.message


def services_keeper(number: int, folder: str) -> bool:
    try:
        line = Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return False
    return b"services.keeper" in line and folder.encode() in line


def keeper_of(folder: str, *, kill: bool = False) -> int:
    """The process that keeps a service."""
    (found,) = [number for number in processes(folder) if services_keeper(number, folder)]
    if kill:
        os.kill(found, signal.SIGKILL)
        until = time.monotonic() + 10
        while is_kept(Path(folder)):
            assert time.monotonic() < until
            time.sleep(0.02)
    return found


def test_a_keeper_that_was_killed_is_started_again_at_the_same_port(home: Path) -> None:
    carried_out(home, serving(env={"MARK": "old"}))
    carried_out(home, serving(env={"MARK": "new"}))
    view = the_serving(home)
    keeper_of(view.handle, kill=True)
    gone(home)
    stopped = the_serving(home)
    assert (stopped.state, stopped.url, stopped.version, stopped.versions) == (
        "stopped",
        "",
        view.version,
        view.versions,
    )
    for what in (services(home).pause, lambda one: services(home).rollback(one, None, 5)):
        with pytest.raises(CannotDoError, match="nobody keeps 'flow-endpoint' any more: it is stopped"):
            what(stopped)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", view.port))
        taken.listen()
        with pytest.raises(CannotDoError, match=f"port {view.port} of this machine is in use by another program"):
            services(home).resume(stopped)
    said = services(home).resume(the_serving(home))
    assert said == f"'flow-endpoint' runs at http://127.0.0.1:{view.port}"
    assert get(view.port)[1] == {"version": view.version, "mark": "new"}
    services(home).rollback(the_serving(home), None, 20)
    assert get(view.port)[1]["mark"] == "old"


def test_secrets_are_in_the_box_and_nowhere_else(home: Path) -> None:
    secret = "pa55-w0rd/+=\nline two"
    objects = Objects({"db": {"password": secret.encode(), "key": b"k3y-in-a-file"}}, {})
    script = 'echo "it is $PASSWORD, $(cat /secrets/key)"; exec python3 -c "$0"'
    server = {
        "command": (("sh",), ("-c",), (script,), (SERVER,)),
        "variables": (EnvFrom("PASSWORD", "secret", ("db",), "password"),),
        "mounts": (SecretMount("secret", ("db",), "/secrets"),),
    }
    for _ in range(2):
        done = carried_out(home, serving(server=server), objects=objects)
        assert done.state.status == "succeeded", done.step().failure
    view = the_serving(home)
    assert get(view.port, "/env")[1]["PASSWORD"] == secret
    assert services(home).log(view, 5)[0] == "it is ***, ***"
    wait_for_boxes(home, 1)
    words = (b"pa55-w0rd", b"k3y-in-a-file", b"line two")
    for number in processes(home):
        line = Path(f"/proc/{number}/cmdline").read_bytes()
        assert not any(word in line for word in words), line
    for path in home.glob("**/*"):
        if path.is_file() and "environments" not in path.parts:
            assert not any(word in path.read_bytes() for word in words), path
    services(home).rollback(view, None, 20)
    failed = carried_out(home, serving(env={"DOES": "bad-example"}, server=server), objects=objects)
    failure = failed.step().failure
    assert failure is not None
    assert 'got: 500 {"error": "no such column***"};' in failure.message
    services(home).pause(view)
    services(home).resume(view)
    keeper_of(view.handle, kill=True)
    with pytest.raises(CannotDoError, match="not kept on disk: PASSWORD, /secrets") as error:
        services(home).resume(the_serving(home))
    assert error.value.help == "run the pipeline again, with --secrets FILE"
    gone(home)
    assert carried_out(home, serving(server=server), objects=objects).state.status == "succeeded"


def test_of_two_runs_at_once_both_deploy_and_one_answers(home: Path) -> None:
    going = [begin(home, serving(env={"AFTER": "0.3"})) for _ in range(2)]
    ended = [one.ended() for one in going]
    assert [one.state.status for one in ended] == ["succeeded"] * 2, [one.step().failure for one in ended]
    view = the_serving(home)
    assert {one.step().outputs["version"] for one in ended} == {view.version, *view.versions}
    assert len({one.step().outputs["url"] for one in ended}) == 1
    assert version_at(view.port) == view.version


def test_deleting_leaves_no_process_and_no_folder(home: Path) -> None:
    done = carried_out(home, serving())
    view = the_serving(home)
    assert services(home).delete(view) == "'flow-endpoint' is deleted; its versions stay on the volume"
    assert processes(home) == []
    assert list((home / "services").iterdir()) == []
    with pytest.raises(CannotDoError, match="the serving of 'endpoint' has been deleted"):
        services(home).find("serving", done.state.name, "endpoint")
    with pytest.raises(CannotDoError, match="there are no servings, and no such run"):
        services(home).find("serving", "flow-endpoint", "")
    carried_out(home, serving())
    keeper_of(view.handle, kill=True)
    assert services(home).delete(the_serving(home)) == "'flow-endpoint' is deleted; its versions stay on the volume"
    assert services(home).all("serving") == []


def test_deleting_ends_a_version_that_is_being_started(home: Path) -> None:
    carried_out(home, serving())
    going = begin(home, serving(env={"DOES": "never"}))
    going.until(lambda state: state.step("endpoint").note.startswith("waiting until version "))
    wait_for_boxes(home, 2)
    services(home).delete(the_serving(home))
    failure = going.ended().step().failure
    assert failure is not None
    assert "it was deleted or ended meanwhile" in failure.message
    assert processes(home) == []


def wait_for_boxes(home: Path, number: int) -> None:
    until = time.monotonic() + 20
    while len(list(home.glob("services/*/boxes/*"))) != number:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_while_it_is_paused_requests_are_answered(home: Path) -> None:
    carried_out(home, serving())
    view = the_serving(home)
    assert services(home).pause(view) == (
        f"'flow-endpoint' is paused; http://127.0.0.1:{view.port} answers 503 until it is resumed"
    )
    assert len(processes(home)) == 1
    assert the_serving(home).state == "paused"
    assert get(view.port) == (503, "flow-endpoint is paused\n")
    connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=10)
    connection.request("POST", "/predict", b"x" * 300_000)
    assert connection.getresponse().status == 503
    connection.close()
    with pytest.raises(CannotDoError, match="'flow-endpoint': it is paused already"):
        services(home).pause(view)
    with pytest.raises(CannotDoError, match="'flow-endpoint' is paused"), services(home).reach(the_serving(home)):
        pass
    assert services(home).resume(view) == f"'flow-endpoint' runs at http://127.0.0.1:{view.port}"
    assert version_at(view.port) == view.version
    with services(home).reach(the_serving(home)) as port:
        assert port == view.port
    with pytest.raises(CannotDoError, match="it runs already"):
        services(home).resume(view)


def test_pausing_what_is_being_resumed_ends_it(home: Path) -> None:
    carried_out(home, serving(env={"AFTER": "2"}, service={"example": None}))
    view = the_serving(home)
    services(home).pause(view)
    resumed: list[str] = []
    thread = threading.Thread(target=lambda: resumed.append(services(home).resume(view)))
    thread.start()
    wait_for_boxes(home, 1)
    services(home).pause(view)
    thread.join()
    assert the_serving(home).state == "paused"
    wait_for_boxes(home, 0)


def test_what_is_paused_is_deployed_by_the_next_run(home: Path) -> None:
    carried_out(home, serving())
    view = the_serving(home)
    services(home).pause(view)
    bad = carried_out(home, serving(env={"DOES": "exits"}))
    assert bad.state.status == "failed"
    assert the_serving(home).state == "paused"
    assert carried_out(home, serving()).state.status == "succeeded"
    assert version_at(view.port) == the_serving(home).version != view.version


def test_a_server_that_crashes_is_started_again(home: Path) -> None:
    carried_out(home, serving())
    view = the_serving(home)
    with pytest.raises((OSError, http.client.HTTPException)):
        get(view.port, "/crash")
    until = time.monotonic() + 10
    while the_serving(home).state != "failing":
        assert time.monotonic() < until
        time.sleep(0.01)
    assert the_serving(home).problem == f"its server exited with code 9: begins {view.version}"
    while the_serving(home).state != "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert the_serving(home).problem == ""
    assert version_at(view.port) == view.version


def test_a_run_that_is_cancelled_gives_its_version_up(home: Path) -> None:
    carried_out(home, serving())
    view = the_serving(home)
    with asking(view.port) as asked:
        going = begin(home, serving(env={"DOES": "never"}))
        wait_for_boxes(home, 2)
        begun = time.monotonic()
        going.cancel()
        done = going.ended()
        wait_for_boxes(home, 1)
        assert time.monotonic() - begun < 5
    assert (done.state.status, done.step().status) == ("cancelled", "cancelled")
    assert asked.failures == []
    assert set(asked.versions) == {view.version}
    assert the_serving(home) == view


def test_the_step_s_own_command_knows_the_version_and_makes_what_is_served(home: Path) -> None:
    step = serving(service={"example": None})
    packer = job("endpoint", "echo packing $KADE2KFP_VERSION")
    done = carried_out(home, replace(packer, type="serving", service=step.service))
    assert done.state.status == "succeeded", done.step().failure
    log = (done.folder / done.step().attempts[0].log).read_text()
    assert log == f"packing {done.step().outputs['version']}\n"
    failed = carried_out(home, replace(job("endpoint", "exit 5"), type="serving", service=step.service))
    assert failed.step().failure is not None
    assert failed.step().outputs == {}
    assert version_at(the_serving(home).port) == done.step().outputs["version"]


def test_a_large_log_is_cut(home: Path) -> None:
    script = 'head -c 30000000 /dev/zero | tr "\\0" x; echo; echo last line; exec python3 -c "$0"'
    carried_out(home, serving(server={"command": (("sh",), ("-c",), (script,), (SERVER,))}))
    view = the_serving(home)
    record = read_record(Path(view.handle))
    assert record is not None
    assert (Path(view.handle) / record.log).stat().st_size <= LOG_LIMIT + 100
    assert "last line" in services(home).log(view, 3)


def test_a_serving_is_found_by_what_one_may_call_it(home: Path) -> None:
    first = carried_out(home, serving(service={"example": None}))
    second = carried_out(home, serving(service={"example": None}))
    view = the_serving(home)
    for run, task in (
        ("last", "endpoint"),
        (first.state.name, "endpoint"),
        (second.state.id, ""),
        ("flow", ""),
        ("flow-endpoint", ""),
        ("flow-endpoint", "endpoint"),
    ):
        assert services(home).find("serving", run, task) == view, (run, task)
    wrong = {
        ("flow", "endpiont"): ("the pipeline flow has no serving 'endpiont'", "did you mean `endpoint`?"),
        ("last", "endpiont"): ("has no serving 'endpiont'", "did you mean `endpoint`?"),
        ("flwo-endpoint", ""): (
            "there is no run, pipeline or serving 'flwo-endpoint'",
            "did you mean `flow-endpoint`?",
        ),
    }
    for (run, task), (text, help_) in wrong.items():
        with pytest.raises(CannotDoError) as error:
            services(home).find("serving", run, task)
        assert text in str(error.value)
        assert error.value.help == help_
    with pytest.raises(CannotDoError, match=r"has no viewer 'endpoint'|'endpoint' is no viewer, but of type serving"):
        services(home).find("viewer", "last", "endpoint")
    assert [one.name for one in services(home).all("serving")] == ["flow-endpoint"]
    assert services(home).all("serving", first.state.name) == []
    assert services(home).all("viewer") == []


def test_a_serving_is_for_its_owner_alone(home: Path) -> None:
    carried_out(home, serving())
    folder = Path(the_serving(home).handle)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "service.json").stat().st_mode & 0o777 == 0o600
    keeper = keeper_of(str(folder))
    opened = {os.readlink(one) for one in Path(f"/proc/{keeper}/fd").iterdir()}
    assert {one for one in opened if one.startswith("/") and not one.startswith(str(folder))} == {"/dev/null"}
    # It is nobody's child, so it stays when the runner goes.
    assert int(Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1]) != os.getpid()
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port = f"{the_serving(home).port:04X}"
    assert {row.split()[1] for row in lines if row.split()[3] == "0A" and row.split()[1].endswith(f":{port}")} == {
        f"0100007F:{port}"
    }


def test_a_request_that_an_old_version_has_begun_with_is_answered_by_it(home: Path) -> None:
    carried_out(home, serving(env={"SLOW": "2"}, service={"example": None}))
    view = the_serving(home)
    answers: list[str] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=20)
        connection.request("POST", "/predict", b"{}")
        answers.append(json.loads(connection.getresponse().read())["version"])
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    carried_out(home, serving(service={"example": Example("/predict", "{}")}))
    assert the_serving(home).version != view.version
    assert not answers
    thread.join()
    assert answers == [view.version]


RUNNER = """
import sys, time
from pathlib import Path
from tests.local.service_sample import carried_out, serving
carried_out(Path(sys.argv[1]), serving(env={"DOES": sys.argv[2]}))
print("done", flush=True)
time.sleep(600)
"""


def runner(home: Path, does: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", RUNNER, str(home), does], stdout=subprocess.PIPE, env=env, cwd=ROOT)


def test_a_serving_stays_when_its_runner_is_killed_and_a_version_that_is_being_started_does_not(home: Path) -> None:
    with runner(home, "") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"done\n"
        first.kill()
    view = the_serving(home)
    with asking(view.port) as asked:
        with runner(home, "never") as second:
            wait_for_boxes(home, 2)
            second.kill()
        wait_for_boxes(home, 1)
    assert asked.failures == []
    assert set(asked.versions) == {view.version}
    assert the_serving(home) == view
