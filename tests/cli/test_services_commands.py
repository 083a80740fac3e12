"""viewer and serving: what is listed, what is asked for, and what is said where it cannot be."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm

import kade2kfp.cli as cli
from kade2kfp.cli import service_commands
from kade2kfp.cli import services as shared
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.diagnostics.cannot import CannotDoError

from .command import environment, kade2kfp
from .fake_services import NOW, Fake, service

HERE = Path(__file__).parent
Call = Callable[..., tuple[int, str, str]]
VERBS = [
    *(f"viewer {verb}" for verb in ("list", "open", "log", "pause", "resume", "delete")),
    *(f"serving {verb}" for verb in ("list", "open", "log", "pause", "resume", "delete", "rollback")),
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(shared, "services_of", lambda where: made)
    monkeypatch.setattr(time, "time", lambda: NOW + 185)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """The command line within this process: exit code, standard output and standard error."""
    monkeypatch.setattr(cli, "_make_haste", lambda: None)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        said = capfd.readouterr()
        assert "\x1b" not in said.out + said.err
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


@pytest.mark.parametrize("words", ["viewer", "serving", *VERBS])
def test_help_fits_a_screen_and_has_an_example(words: str, call: Call) -> None:
    code, text, _ = call(*words.split(), "--help")
    lines = text.splitlines()
    assert code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    examples = [line for line in lines if line.startswith("    kade2kfp ")]
    assert examples
    assert all(words in line for line in examples)


# --- list


def test_nothing_is_there(fake: Fake, call: Call) -> None:
    assert call("viewer", "list") == (0, "", "there are no viewers\n")
    assert call("serving", "list", "r\x1b") == (0, "", "there are no servings of the run r\\x1b\n")
    assert call("serving", "list", "--output", "json") == (0, "[]\n", "")


def test_the_lists_say_what_to_type(fake: Fake, call: Call) -> None:
    fake.views = [
        service("viewer", "board", until=NOW + 185 + 3600),
        service("viewer", "b 2", state="paused", url="", until=NOW),
        service("viewer", "b3", state="failing", problem="no\x1b image"),
        service("viewer", "b4", state="stopped", url=""),
        service(version="v3", versions=("v3", "v2", "v1")),
        service("serving", "other", state="stopped", url=""),
    ]
    code, text, said = call("viewer", "list", "-n", "team a")
    assert (code, said) == (0, "")
    assert text.splitlines() == [
        "RUN     TASK   STATE    MADE       UNTIL     URL",
        "iris-1  board  running  3m05s ago  in 1h00m  http://127.0.0.1:3000/",
        "  kade2kfp viewer open iris-1 board --namespace 'team a'",
        "iris-1  b 2    paused   3m05s ago  over      -",
        "  kade2kfp viewer resume iris-1 'b 2' --namespace 'team a'",
        "iris-1  b3     failing  3m05s ago  -         http://127.0.0.1:3000/",
        "  no\\x1b image",
        "  kade2kfp viewer log iris-1 b3 --namespace 'team a'",
        "iris-1  b4     stopped  3m05s ago  -         -",
        "  kade2kfp viewer open iris-1 b4 --namespace 'team a'",
    ]
    assert call("serving", "list")[1].splitlines() == [
        "PIPELINE  TASK      STATE    VERSION  MADE       URL",
        "iris      endpoint  running  v3       3m05s ago  http://127.0.0.1:3000/",
        "  other versions: v2, v1",
        "  kade2kfp serving open iris endpoint",
        "iris      other     stopped  -        3m05s ago  -",
        "  kade2kfp serving resume iris other",
    ]


def test_what_is_to_be_typed_is_what_the_commands_take(fake: Fake, call: Call) -> None:
    fake.views = [
        service("viewer", "a b", step="s1", name="n1", state="paused"),
        service("viewer", "a b", step="s2", name="n2", state="paused"),
        service("serving", "é'", state="paused"),
    ]
    for kind in ("viewer", "serving"):
        for row in call(kind, "list")[1].splitlines():
            if row.startswith("  kade2kfp"):
                assert call(*shlex.split(row)[1:])[0] == 0
    assert fake.done == [("resume", "a b"), ("resume", "a b"), ("resume", "é'")]


def test_the_json_is_as_its_help_says(fake: Fake, call: Call) -> None:
    fake.views = [service(versions=("v2", "v1"), until=float("nan"))]
    (found,) = json.loads(call("serving", "list", "--output", "json")[1])
    help_ = call("serving", "list", "--help")[1]
    assert all(f"`{name}`" in help_ for name in found)
    assert (found["since"], found["until"], found["versions"]) == (NOW, None, ["v2", "v1"])


# --- what is asked for


@pytest.mark.parametrize("verb", ["pause", "resume", "delete"])
@pytest.mark.parametrize("kind", ["viewer", "serving"])
def test_what_is_done_is_told(fake: Fake, call: Call, kind: Any, verb: str) -> None:
    fake.views = [service(kind, "t"), service("viewer" if kind == "serving" else "serving", "t")]
    assert call(kind, verb, "iris-1", "t") == (0, f"'t' \\x1b: {verb}\n", "")
    assert fake.done == [(verb, "t")]


def test_rolling_back(fake: Fake, call: Call) -> None:
    fake.views = [service()]
    assert call("serving", "rollback", "iris", "endpoint") == (0, "'endpoint' \\x1b: rollback\n", "")
    call("serving", "rollback", "iris", "--to", "v1", "--timeout", "5")
    assert fake.done == [("rollback", "endpoint", None, 600), ("rollback", "endpoint", "v1", 5)]
    code, _, said = call("serving", "rollback", "iris", "--to", "")
    assert (code, len(fake.done)) == (2, 2)
    assert "Invalid value for --to: it is empty" in said


def test_the_task_may_be_left_out_where_there_is_one(fake: Fake, call: Call) -> None:
    fake.views = [service("viewer", "board"), service(), service("serving", "x", pipeline="my-pipe", run="my-pipe-7")]
    assert call("viewer", "pause", "last")[2] == "the only viewer of iris-1: board\n"
    for run in ("iris", "iris-1", "iris-endpoint"):
        assert call("serving", "pause", run)[2] == "the only serving of iris: endpoint\n"
    assert call("serving", "pause", "My Pipe")[2] == "the only serving of my-pipe: x\n"  # the pipeline's name
    assert call("serving", "pause", "My Pipe", "x")[0] == 0
    fake.views.append(service("serving", "second"))
    for run in ("iris", "iris-1"):
        said = f"Error: {run} has 2 servings: endpoint, second\n  help: name one of them after it\n"
        assert call("serving", "pause", run) == (1, "", said)
    assert call("serving", "pause", "iris-endpoint")[0] == 0  # its own name
    said = "Error: iris-9 has no viewer\n  help: `kade2kfp viewer list` lists all\n"
    assert call("viewer", "pause", "iris-9") == (1, "", said)


def test_the_log_is_escaped(fake: Fake, call: Call) -> None:
    fake.views, fake.lines = [service()], ["a", "b\x1b[2J", "c"]
    assert call("serving", "log", "iris", "endpoint", "--lines", "2") == (0, "b\\x1b[2J\nc\n", "")


@pytest.mark.parametrize("words", [*VERBS, "predict"])
@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (CannotDoError("gone\x1b", "look at `x`"), 1, "Error: gone\\x1b\n  help: look at `x`\n"),
        (RefusedError("you may not get pods (403)", "ask"), 3, "Error: you may not get pods (403)\n  help: ask\n"),
    ],
)
def test_what_cannot_be_done(fake: Fake, call: Call, words: str, error: CannotDoError, code: int, says: str) -> None:
    fake.error = error
    more = [] if words.endswith("list") else ["r", "t"]
    assert call(*words.split(), *more, *(["--json", "1"] if words == "predict" else [])) == (code, "", says)


def test_a_mistyped_verb_or_option(fake: Fake, call: Call) -> None:
    assert "No such command 'pasue'" in call("viewer", "pasue", "x")[2]
    code, _, said = call("viewer", "open", "x", "y", "--port", "80")
    assert code == 2
    assert "--port is for services on a cluster" in said
    assert call("viewer", "list", "--home", "/x", "-n", "y")[0] == 2


def test_which_services_are_asked(monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path) -> None:
    asked: list[Any] = []

    def cluster(*words: Any) -> Fake:
        asked.append(words)
        return Fake()

    monkeypatch.setattr("kade2kfp.cluster.services.cluster_services", cluster)
    monkeypatch.setattr("kade2kfp.local.services.local_services", lambda home: cluster(home))
    call("viewer", "list", "-n", "team")
    call("serving", "list", "--kube-context", "c")
    call("serving", "list", "--home", str(tmp_path))
    assert asked == [(None, "team"), ("c", None), (tmp_path,)]


# --- open


def test_here_the_address_is_printed_and_that_is_all(fake: Fake, call: Call) -> None:
    fake.views, fake.port = [service("viewer", "board", problem="slow\x1b")], 4321
    assert call("viewer", "open", "last", "board") == (0, "http://127.0.0.1:4321/\n", "board: slow\\x1b\n")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("paused", "Error: endpoint is paused\n  help: to start it: kade2kfp serving resume iris endpoint\n"),
        ("stopped", "Error: endpoint is stopped: nothing keeps it running any more\n  help: to start it: kade2kfp"),
        (
            "failing",
            "  last words\nError: endpoint does not run: no image\n  help: more of its log: kade2kfp serving log",
        ),
    ],
)
def test_what_does_not_run_is_not_opened(fake: Fake, call: Call, state: Any, says: str) -> None:
    fake.views, fake.lines = [service(state=state, problem="no image")], ["last words"]
    code, text, said = call("serving", "open", "iris", "endpoint")
    assert (code, text) == (1, "")
    assert said.startswith(says)


def test_it_waits_for_what_starts(fake: Fake, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.views, fake.next = [service(state="starting", problem="0/3 nodes")], [{}, {}, {"state": "running"}]
    code, text, said = call("serving", "open", "iris", "endpoint")
    assert (code, text) == (0, "http://127.0.0.1:3000/\n")
    assert "waiting for endpoint, which starts, up to 120 s\n" in said
    monkeypatch.setattr(service_commands, "PATIENCE", 0.1)
    code, _, said = call("serving", "open", "iris", "endpoint")
    assert code == 124
    assert "Error: endpoint has not started after 0 s: 0/3 nodes\n" in said


def test_a_stopped_viewer_of_a_run_is_kept_while_it_is_looked_at(
    fake: Fake, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from contextlib import contextmanager

    kept: list[Any] = []

    @contextmanager
    def again(home: Path, view: Any) -> Any:
        kept.append((home, view.task))
        yield 5555
        raise KeyboardInterrupt

    monkeypatch.setattr("kade2kfp.local.services.view_again", again)
    monkeypatch.setattr(service_commands, "_other", lambda *_: None)
    fake.views = [service("viewer", "board", state="stopped")]
    code, text, said = call("viewer", "open", "last", "board", "--home", str(tmp_path))
    assert (code, text, said) == (0, "http://127.0.0.1:5555/\n", "Ctrl-C ends it\n\n")
    assert kept == [(tmp_path, "board")]


PROGRAM = """#!{python}
import sys
sys.path[:0] = [{folder!r}]
import fake_services
from fake_services import Fake, service
import kade2kfp.cli.service_commands as commands
commands._LOOK = 0.1
fake_services.main(Fake([service(version="v1")], port=1234, next={next!r}))
"""


@pytest.mark.parametrize(
    ("following", "says"),
    [
        ([{}], None),
        (
            [{}, {"version": "v2"}, {"version": "v2"}, {"gone": "it has gone\x1b"}],
            b"cannot be reached any more: it has gone\\x1b",
        ),
        ([{}, {"state": "paused"}], b"endpoint has been paused"),
    ],
)
def test_on_a_cluster_it_is_carried_on(tmp_path: Path, following: list[Any], says: bytes | None) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(python=sys.executable, folder=str(HERE), next=following))
    command = [sys.executable, str(path), "serving", "open", "iris", "endpoint", "-n", "x"]
    with warm.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"http://127.0.0.1:1234/\n"
            assert process.stderr.readline() == b"Ctrl-C ends it\n"
            if says is None:
                time.sleep(0.4)
                assert process.poll() is None
                process.send_signal(signal.SIGINT)
            text, said = process.communicate(timeout=30)
        finally:
            process.kill()  # else one that does not end is waited for without end
    assert process.returncode == 0
    if len(following) > 2:
        assert b"endpoint has been started anew v2\n" in said
        assert text == b"http://127.0.0.1:1234/\n"
    assert (says or b"\n") in said
    assert b"Traceback" not in said


def test_the_browser_gets_there(fake: Fake, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    fake.views = [service()]
    assert call("serving", "open", "iris", "endpoint")[2] == "no browser could be started: open the address yourself\n"
    call("serving", "open", "iris", "endpoint", "--no-browser")
    assert opened == ["http://127.0.0.1:3000/"]


def test_what_lists_services_imports_no_cluster(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "kade2kfp", "viewer", "--help"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    imported = {row.rpartition("|")[2].strip().partition(".")[0] for row in ran.stderr.decode().splitlines()}
    assert not imported & {"kfp", "kubernetes", "google", "yaml", "requests"}
    assert kade2kfp("viewer", "list", "--home", ".", cwd=tmp_path).returncode == 0
