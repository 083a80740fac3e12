"""Steps that fail in any way: one located message each, with the log's last lines, and exit code 3."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.local.attempt import why_failed
from kade2kfp.local.bubblewrap import bwrap_path, works
from kade2kfp.local.engine import Box, CannotStartError
from kade2kfp.local.logs import LogEnd
from kade2kfp.local.process import ProcessEngine
from kade2kfp.local.state import RunState
from kade2kfp.local.trees import hand_on, measure, remove, settle
from kade2kfp.steps.model import Step

sys.path.insert(0, str(Path(__file__).parent))
from faults import IMPATIENT, Said, ended, gone, said, start_impatient
from running import COMMAND, Ran, arrow, call, document, environment, job, run, start, then

Failed = list[tuple[Ran, dict[str, Said], list[str], RunState]]


def _value(type_: str, write: str) -> dict[str, Any]:
    """A step with the output parameter n."""
    return job("", f"mkdir -p /m; {write} > /m/n", outputs=[{"name": "n", "type": type_, "path": "/m/n"}])


def _metrics(write: str) -> dict[str, Any]:
    return job("", f"mkdir -p /m; {write} > /m/metrics.json", metrics="/m/metrics.json")


# task, the path of its arrow; code, the document's text at the place, message, log's last lines
FAILING: dict[str, tuple[dict[str, Any], str, str, str, str, list[str]]] = {
    "code": (
        job("", "echo one; echo two >&2; exit 7"),
        "",
        "K710",
        '"echo one',
        "the command exited with code 7",
        ["one", "two"],
    ),
    "minus-one": (job("", "exit 255"), "", "K710", '"exit', "the command exited with code 255", []),
    "code-of-step-sh": (
        job("", "echo x > /out/x; exit 65"),
        "/out",
        "K710",
        '"echo x',
        "the command exited with code 65",
        [],
    ),
    "term": (job("", "kill -TERM $$"), "", "K713", '"kill', "the command was ended by SIGTERM (code 143)", []),
    "segv": (
        job("", "echo last words; kill -SEGV $$"),
        "/out",
        "K713",
        '"echo last',
        "the command was ended by SIGSEGV (code 139)",
        ["last words"],
    ),
    "kill": (job("", "kill -KILL $$"), "", "K713", '"kill', "the command was ended by SIGKILL (code 137)", []),
    "no-command": (
        {"type": "job", "command": ["no-such-thing", "x"]},
        "",
        "K714",
        "[",
        "the command cannot be started: no-such-thing: No such file or directory",
        [],
    ),
    "no-command-sh": (
        {"type": "job", "command": ["no-such-thing"]},
        "/out",
        "K714",
        "[",
        "the command cannot be started: no-such-thing: not found",
        [],
    ),
    "no-program": (
        {"type": "job", "command": ["/etc/passwd"]},
        "",
        "K714",
        "[",
        "the command cannot be started: /etc/passwd: Permission denied",
        [],
    ),
    "folder": (
        {"type": "job", "command": ["/usr"]},
        "/out",
        "K714",
        "[",
        "the command cannot be started: /usr: Permission denied",
        [],
    ),
    "line-not-found": (
        job("", "no-such-thing"),
        "",
        "K710",
        '"no-such',
        "the command exited with code 127",
        ["line-not-found: 1: no-such-thing: not found"],
    ),
    "over-usr": (
        job("", "true", volumes=[{"emptyDir": {}, "mountPath": "/usr/src/app"}]),
        "",
        "K714",
        '"over-usr"',
        "the box cannot be made: Can't mkdir /usr/src/app: Read-only file system",
        [],
    ),
    "no-folder": (
        job("", "echo said"),
        "/out",
        "K711",
        '"/out"',
        "the command left no folder /out, or an empty one",
        ["said"],
    ),
    "no-file": (
        job("", "true"),
        "/one/model.pkl",
        "K711",
        '"/one/model',
        "the command left no file /one/model.pkl",
        [],
    ),
    "no-value": (_value("integer", "true; true"), "", "K711", '"n"', "output n: not of type integer:", []),
    "no-value-file": (
        job("", "true", outputs=[{"name": "n", "type": "string", "path": "/a, b:c/n"}]),
        "",
        "K711",
        '"/a, b:c/n"',
        "the command left no file /a, b:c/n",
        [],
    ),
    "word": (_value("integer", "echo many"), "", "K711", '"n"', "output n: not of type integer: many", []),
    "infinite": (_value("number", "echo 9e308"), "", "K711", '"n"', "output n: inf is no number in JSON", []),
    "not-a-number": (_value("array", "echo [NaN]"), "", "K711", '"n"', "output n: nan is no number in JSON", []),
    "no-utf-8": (_value("string", "printf '\\377'"), "", "K711", '"n"', "output n: not UTF-8", []),
    "no-json": (
        _value("array", "echo '[1,'"),
        "",
        "K711",
        '"n"',
        "output n: not of type array: expecting value at character 4",
        [],
    ),
    "half-character": (
        _value("array", "printf '[\"%sd800\"]' '\\u'"),
        "",
        "K711",
        '"n"',
        "output n: half a character (a surrogate without the other) is in its JSON",
        [],
    ),
    "deep-json": (
        _value("array", 'python -c \'print("[" * 150 + "]" * 150)\''),
        "",
        "K711",
        '"n"',
        "output n: nested more than 100 deep",
        [],
    ),
    "deeper-json": (
        _value("array", 'python -c \'print("[" * 9999 + "]" * 9999)\''),
        "",
        "K711",
        '"n"',
        "output n: nested more than 100 deep",
        [],
    ),
    "braces": (
        _value("string", "printf '{%s{x}}' ''"),
        "",
        "K711",
        '"n"',
        "output n: {{, $$ or $( in it would be replaced on its way",
        [],
    ),
    "parenthesis": (
        _value("string", "printf '$%s(x)' ''"),
        "",
        "K711",
        '"n"',
        "output n: {{, $$ or $( in it would be replaced on its way",
        [],
    ),
    "no-metrics": (
        job("", "true", metrics="/m/metrics.json"),
        "",
        "K711",
        '"/m/metrics',
        "the command left no file /m/metrics.json",
        [],
    ),
    "list-of-metrics": (
        _metrics("printf '[1]'"),
        "",
        "K711",
        '"/m/metrics',
        "metrics: /m/metrics.json is no JSON object: [1]",
        [],
    ),
    "fifo": (
        job("", "mkfifo /out/f"),
        "/out",
        "K711",
        '"/out"',
        "the command left /out/f, which leads nowhere or is neither file nor folder",
        [],
    ),
    "socket": (
        job("", "python -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/out/s\")'"),
        "/out",
        "K711",
        '"/out"',
        "the command left /out/s, which leads nowhere or is neither file nor folder",
        [],
    ),
    "fifo-named": (
        job("", "mkfifo \"$(printf '/out/a\\nb\\377')\""),
        "/out",
        "K711",
        '"/out"',
        "the command left /out/a?b\ufffd, which leads nowhere or is neither file nor folder",
        [],
    ),
    "dead-link": (
        job("", "ln -s /nowhere /out/l"),
        "/out",
        "K711",
        '"/out"',
        "the command left /out/l, which leads nowhere or is neither file nor folder",
        [],
    ),
    "link-to-root": (
        job("", "ln -s / /out/all"),
        "/out",
        "K711",
        '"/out"',
        "the command left /out/all, a link to a folder that holds it",
        [],
    ),
    "file-of-zeros": (
        job("", "ln -s /dev/zero /one/x.bin"),
        "/one/x.bin",
        "K711",
        '"/one/x',
        "the command left no file /one/x.bin",
        [],
    ),
    "file-is-root": (
        job("", "ln -s / /one/x.bin"),
        "/one/x.bin",
        "K711",
        '"/one/x',
        "the command left no file /one/x.bin",
        [],
    ),
    "too-deep": (
        job(
            "",
            'python -c \'\nimport os\nos.chdir("/out")\nfor _ in range(3000):\n  os.mkdir("a"); os.chdir("a")\n'
            'open("f", "w")\'',
        ),
        "/out",
        "K711",
        '"/out"',
        "/out cannot be kept: its folders lie too deep in each other",
        [],
    ),
    "silent": (job("", "exec >&- 2>&-; sleep 0.1; exit 3"), "", "K710", '"exec', "the command exited with code 3", []),
    "noise": (
        job(
            "",
            "printf '\\033[31mred\\033]0;title\\007 \\377\\376\\007\\010\\n'; head -c 10000 /dev/zero | tr '\\0' x; exit 9",
        ),
        "",
        "K710",
        '"printf',
        "the command exited with code 9",
        ["red \ufffd\ufffd", "x" * 497 + "..."],
    ),
    "full": (
        job(
            "",
            "head -c 9M /dev/zero > /mem/x",
            volumes=[{"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}, "mountPath": "/mem"}],
        ),
        "",
        "K710",
        '"head',
        "the command exited with code 1",
        ["head: error writing 'standard output': No space left on device"],
    ),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, base_environment: Path) -> Iterator[Failed]:
    """All the steps above in a few runs: of one code no more than some are printed."""
    home = tmp_path_factory.mktemp("failing") / "home"
    home.mkdir()
    (home / "environments").symlink_to(base_environment)
    done: Failed = []
    for ids in batched(FAILING, 20):
        tasks = [{**FAILING[id_][0], "id": id_} for id_ in ids]
        paths = [(id_, FAILING[id_][1]) for id_ in ids if FAILING[id_][1]]
        arrows = [arrow(id_, path, "use", f"/in/{id_}/{path.rpartition('/')[2]}") for id_, path in paths]
        folder = home / ids[0]
        path = document(folder, [*tasks, job("use", "true"), job("beside", "true")], arrows)
        ran = call(home, "run", str(path), "--jobs", "2")
        done.append((ran, said(ran), ids, ran.state))
    yield done
    remove(home)  # pytest's own cannot remove folders as deep as these


def batched(ids: Iterable[str], size: int) -> list[list[str]]:
    listed = list(ids)
    return [listed[at : at + size] for at in range(0, len(listed), size)]


@pytest.mark.parametrize("id_", FAILING)
def test_one_message_says_what_failed_and_where(failed: Failed, id_: str) -> None:
    ran, told, _, state = next(one for one in failed if id_ in one[2])
    _, _, code, at, text, log = FAILING[id_]
    found = told[id_]
    assert (found.code, found.text, found.log) == (code, text, log)
    assert found.at.startswith(at), found.at
    step = state.step(id_)
    assert step.status == "failed"
    assert step.failure is not None
    assert step.failure.code == code
    assert len(step.attempts) == 1
    assert step.ended is not None
    assert ran.err.count(f" {id_}: failed: ") == 1


def test_a_failing_run_fails_and_nothing_else_does(failed: Failed) -> None:
    for ran, told, ids, state in failed:
        assert ran.code == 3
        assert set(told) == set(ids)
        assert state.status == "failed"
        assert state.step("beside").status in ("succeeded", "cached")
        assert state.step("use").status == "skipped"
        assert not list((ran.home / "runs" / state.name / "scratch").iterdir())
        assert "Traceback" not in ran.err
        assert not [char for char in ran.err + ran.out if ord(char) < 32 and char != "\n"]
    told = {id_: one for _, batch, _, _ in failed for id_, one in batch.items()}
    assert "--engine docker" in told["no-command"].help
    assert "out of memory" in told["kill"].help


def test_strange_but_fine(home: Path) -> None:
    done = run(
        home,
        [
            job(
                "names",
                "printf 1 > \"$(printf '/out/a\\nb')\"; printf 2 > \"$(printf '/out/\\377\\376')\"; printf 3 > '/out/ -rf *'",
            ),
            job("many", "cd /out; seq 10000 | xargs touch"),
            job("deep", "cd /out; p=$(printf 'a/%.0s' $(seq 200)); mkdir -p $p; echo deep > ${p}f"),
            _metrics(
                'python -c \'import json; print(json.dumps({"text": "x" * 10**6} | {f"k{i}": i for i in range(300)}))\''
            )
            | {"id": "metrics"},
            job("long", "true", timeout="100d"),
            job(
                "use",
                "cat /in/names/*; ls /in/many | wc -l; find /in/deep -name f -exec cat {} +",
            ),
        ],
        [arrow(name, "/out", "use", f"/in/{name}") for name in ("names", "many", "deep")],
    )
    assert done.code == 0, done.err
    assert sorted(done.log("use").splitlines()[0].removesuffix("10000")) == ["1", "2", "3"]
    assert done.log("use").splitlines()[1:] == ["deep"]
    assert len(done.step("metrics").metrics) == 300
    assert done.step("many").artifacts[0].files == 10000
    again = call(home, "run", str(home / "flow.json"))
    assert {step.status for step in again.state.steps} == {"cached"}
    remove(home / "runs")
    remove(home / "cache")


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    deep = Path(f"{tmp_path}/tree/{'a/' * 1500}")
    subprocess.run(["mkdir", "-p", f"{deep}/none"], check=True)
    (deep / "f").write_text("deep")
    (deep / "none").chmod(0)
    settle(tmp_path / "tree")
    assert not (deep / "none").exists()
    hand_on(tmp_path / "tree", tmp_path / "twin")
    assert measure(tmp_path / "tree") == measure(tmp_path / "twin")
    assert measure(tmp_path / "twin").files == 1
    remove(tmp_path / "tree")
    remove(tmp_path / "twin")


@pytest.mark.parametrize("script", ["sleep 60.MARK", "trap '' TERM; echo deaf; while :; do sleep 60.MARK; done"])
def test_a_step_that_takes_too_long_is_stopped(home: Path, script: str) -> None:
    mark = str(uuid.uuid4().int)
    task = job("slow", script.replace("MARK", mark), timeout="1s")
    began = time.monotonic()
    done = ended(start_impatient(home, 0.3, "run", str(document(home, [task, job("beside", "true")]))))
    assert time.monotonic() - began < 10
    assert done.code == 3
    told = said(done)["slow"]
    assert (told.code, told.text) == ("K712", "it took longer than its timeout of 1 s and was stopped")
    assert told.at.startswith('"1s"')
    assert told.log == (["deaf"] if "deaf" in script else [])
    assert gone(mark)
    assert done.statuses() == {"slow": "failed", "beside": "succeeded"}


def test_a_step_may_clean_up_when_its_time_is_over(home: Path) -> None:
    task = job("slow", "trap 'echo bye; exit 0' TERM; sleep 60 & wait", timeout="1s")
    done = run(home, [task])
    assert done.code == 3
    assert said(done)["slow"].log == ["bye"]
    assert said(done)["slow"].code == "K712"


def test_nothing_outlives_its_step(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    script = f"(setsid sh -c 'trap \"\" TERM HUP; sleep 60.{mark}') & while ! grep -qs {mark} /proc/[0-9]*/cmdline; do :; done"
    done = run(home, [job("a", script), job("b", script + "; exit 1"), job("c", script, outputs=[])])
    assert done.code == 3
    assert done.statuses() == {"a": "succeeded", "b": "failed", "c": "succeeded"}
    assert gone(mark)


def test_a_gigabyte_of_log(home: Path) -> None:
    done = run(home, [job("loud", "head -c 1G /dev/zero | tr '\\0' x; echo; echo the end; exit 4")])
    assert done.code == 3
    told = said(done)["loud"]
    assert told.text == "the command exited with code 4"
    assert told.log[-1] == "the end"
    assert max(map(len, told.log)) <= 500
    log = done.folder / done.step("loud").attempts[0].log
    assert log.stat().st_size < 70 * 2**20
    assert b"bytes left out\n" in log.read_bytes()


def test_an_output_of_a_volume_that_is_the_root_folder(home: Path) -> None:
    mount = {"id": "work", "mountPath": "/vol"}
    # /proc and /usr would be gone through for long; a small root is as good.
    script = "rm -rf /vol/x; ln -s /etc/.. /vol/x; exec 2>&1"
    done = run(
        home,
        [job("a", script, volumes=[mount]), job("use", "true")],
        [arrow("a", "/vol/x", "use", "/in")],
        volumes=[{"id": "work", "create": {"size": "1Gi"}}],
    )
    assert done.code == 3
    told = said(done)["a"]
    assert told.code == "K711"
    assert told.at.startswith('"/vol/x"')
    assert told.text.startswith("the command left /vol/x/")
    assert sum(path.stat().st_size for path in done.folder.rglob("*") if path.is_file()) < 10**6


def test_packages_that_cannot_be_had(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    task = job("a", "true", packagesToInstall=["no-such-package-at-all==1"])
    path = document(home, [task, job("b", "true")])
    done = call(home, "run", str(path), env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "empty")})
    assert done.code == 3
    told = said(done)["a"]
    assert told.code == "K715"
    assert told.at.startswith("[")
    assert "no-such-package-at-all" in told.text
    assert told.log
    assert done.statuses() == {"a": "failed", "b": "succeeded"}
    assert done.step("a").attempts == ()


@pytest.mark.skipif(bool(works()), reason="boxes cannot be made here")
@pytest.mark.parametrize(
    ("env", "command"),
    [({"X": "x\0--bind\0/\0/host"}, ("true",)), ({}, ("echo", "a\0b")), ({"X": "\ud800"}, ("true",))],
)
def test_a_zero_byte_begins_no_argument_of_bubblewrap(
    tmp_path: Path, env: dict[str, str], command: tuple[str, ...]
) -> None:
    box = Box("a", "", command, env, (), tmp_path)
    with pytest.raises(CannotStartError, match="zero byte"):
        ProcessEngine(str(bwrap_path())).start(box, 1)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="a small disk has to be mounted")
@pytest.mark.parametrize("size", ["3m", "40m"])
def test_a_full_disk(tmp_path: Path, base_environment: Path, size: str) -> None:
    home, mark = tmp_path / "home", str(uuid.uuid4().int)
    home.mkdir()
    fill = "head -c 100M /dev/zero > /out/big; echo filled; exit 5"
    keep = "trap '' TERM; while [ ! -e /none ]; do sleep 60." + mark + "; done"
    path = document(
        tmp_path / "documents",
        [job("fill", fill), job("keep", keep, timeout="1s"), job("use", "true")],
        [arrow("fill", "/out", "use", "/in")],
    )
    script = (
        f"mount -t tmpfs -o size={size} small {home} && ln -s {base_environment} {home}/environments || exit 99\n"
        # Only what nobody has reserved is left to the run's own files.
        f"[ {size} = 40m ] || head -c 2900K /dev/zero > {home}/taken\n"
        f"{COMMAND[0]} -c '{IMPATIENT}' 0.3 run {path} --jobs 2; code=$?; cat {home}/runs/*/state.json; exit $code"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=60,
        check=False,
    )
    if done.returncode == 99:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "no space left on device" in done.stderr.lower()
    assert gone(mark)


def test_a_state_that_cannot_be_written_ends_the_run(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    tasks = [
        job("first", "while [ ! -e /v/go ]; do sleep 0.05; done", volumes=[{"id": "v", "mountPath": "/v"}]),
        job("keep", f"trap '' TERM; sleep 60.{mark}; sleep 60.{mark}"),
    ]
    path = document(home, tasks, volumes=[{"id": "v", "claimName": "v"}])
    started = start(home, "run", str(path), "--jobs", "2")
    started.wait_for("runs/*/logs/keep/1.log")
    (folder,) = (home / "runs").iterdir()
    (folder / "state.json.new").mkdir()
    (home / "volumes/v/go").touch()
    done = ended(started)
    assert done.code == 3
    assert "this machine failed: " in done.err
    assert "state.json.new" in done.err
    assert "Traceback" not in done.err
    assert gone(mark)
    (folder / "state.json.new").rmdir()
    assert "interrupted" in call(home, "runs").out


@pytest.mark.parametrize(
    ("code", "lines", "expected"),
    [
        (1, ("bwrap: execvp x: No such file or directory",), "K714"),
        (1, ("bwrap: execvp x: No such file or directory", "more"), "K710"),
        (2, ("bwrap: execvp x: No such file or directory",), "K710"),
        (127, ("step: 300: exec: x: not found",), "K714"),
        (127, ("step: line 300: exec: x: not found",), "K714"),
        (127, ("step: exec: line 300: x: not found",), "K714"),
        (127, ("env: 'x': No such file or directory",), "K714"),
        (127, ("step: 1: x: not found",), "K710"),
        (128, (), "K710"),
        (129, (), "K713"),
        (192, (), "K713"),
        (193, (), "K710"),
        (65, ("kade2kfp: the command exited with code 65",), "K710"),
        (65, ("kade2kfp: output n: not UTF-8",), "K711"),
        (64, ("kade2kfp: cannot write /x as user 0",), "K714"),
        (64, (), "K710"),
    ],
)
def test_what_an_exit_code_means(code: int, lines: tuple[str, ...], expected: str) -> None:
    step = Step("a", "a", "a", ("image",), (("x",),), working_dir="/w")
    assert why_failed(step, code, LogEnd(0, 0, lines), images=False).code == expected


def test_the_pipelines_own_timeout(home: Path) -> None:
    done = run(home, [job("long", "sleep 30"), job("next", "true")], [then("long", "next")], timeout="1s")
    assert done.code == 3
    assert done.statuses() == {"long": "cancelled", "next": "skipped"}
    assert done.state.status == "failed"
    assert "the pipeline's timeout of 1 s was over" in done.err
