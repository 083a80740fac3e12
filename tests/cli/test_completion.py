"""Completion in the shells themselves: what is offered, how quickly, and that nothing is ever shown besides."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.cli import _COMMANDS

from .command import HELLO, environment, kade2kfp, no_bug, write
from .shells import HERE, SHELLS, offers, plain_environment, typed

TOP = Path(__file__).parents[2]
TRAIN: dict[str, Any] = {
    "apiVersion": "kade2kfp/v1",
    "name": "train",
    "parameters": [
        {"name": "rate", "type": "number", "default": 0.1},
        {"name": "mode", "type": "string", "enum": ["fast", "good one", "good"]},
        {"name": "dry_run", "type": "boolean", "default": False},
    ],
    "volumes": [{"id": "nas", "claimName": "team"}],
    "tasks": [{"id": "prepare", "type": "job"}, {"id": "publish", "type": "job"}, {"id": "train", "type": "job"}],
}
RUNS = ("train-20260309-140559-0c6b", "train-20260310-090000-aaaa", "other-20260308-000000-1234")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home, with runs, and the folder that the shell is in."""
    home = tmp_path / "home"
    for number, name in enumerate(RUNS):
        folder = home / ".local/share/kade2kfp/runs" / name
        folder.mkdir(parents=True)
        steps = [{"task": task, "status": "succeeded"} for task in ("prepare", "train", "train")]
        (folder / "state.json").write_text(json.dumps({"steps": steps[: 3 - number]}))
        gate = {"values": [{"name": "lr", "type": "number"}, {"name": "level", "type": "string"}]}
        write(folder, {"tasks": [{"id": "train", "gate": gate}, {"id": "prepare"}]})
    (home / ".local/share/kade2kfp/runs/stray").mkdir()
    here = tmp_path / "here"
    here.mkdir()
    write(here, TRAIN)
    (here / "data").mkdir()
    (here / "data" / "my data.json").write_text("{}")
    (here / "notes.txt").write_text("")
    return home


def here(home: Path) -> Path:
    return home.parent / "here"


# What is typed; what is offered; and for bash, which replaces only what is behind the `=`.
CASES = [
    ("kade2kfp val", ["validate"], None),
    ("kade2kfp co", ["compare", "compile", "completion", "context"], None),
    ("kade2kfp zzz", [], None),
    ("kade2kfp validate --wer", ["--werror"], None),
    ("kade2kfp validate ", ["data/", "pipeline.json"], ["data", "pipeline.json"]),
    ("kade2kfp validate data/", ["data/my data.json"], None),
    ("kade2kfp bento pipeline.json ", ["prepare", "publish", "train"], None),
    ("kade2kfp run pipeline.json --from p", ["prepare", "publish"], None),
    ("kade2kfp run pipeline.json --only=tr", ["--only=train"], ["train"]),
    ("kade2kfp run pipeline.json --only train --from pu", ["publish"], None),
    ("kade2kfp run pipeline.json --set r", ["rate="], None),
    ("kade2kfp run pipeline.json --set mode=", ["mode=fast", "mode=good"], ["fast", "good"]),
    ("kade2kfp compile --set dry_run=t pipeline.json --set dry_run=t", ["dry_run=true"], ["true"]),
    ("kade2kfp run pipeline.json --volume n", ["nas="], None),
    ("kade2kfp run pipeline.json --volume nas=d", ["nas=data/"], ["data"]),
    ("kade2kfp run missing.json --from ", [], None),
    ("kade2kfp logs ", ["last", RUNS[1], RUNS[0], RUNS[2]], None),
    ("kade2kfp logs o", [RUNS[2]], None),
    ("kade2kfp logs last t", ["train"], None),
    ("kade2kfp logs 140559 ", ["prepare", "train"], None),
    ("kade2kfp logs train ", [], None),
    ("kade2kfp compare last t", [RUNS[1], RUNS[0]], None),
    ("kade2kfp resume last train --set l", ["lr=", "level="], None),
    ("kade2kfp show --home nowhere ", [], None),
    ("kade2kfp gates --namespace team ", [], None),
    ("kade2kfp explain K30", [f"K30{number}" for number in range(10)], None),
    ("kade2kfp explain K301,K302", ["K301,K302"], None),
    ("kade2kfp explain zzz", [], None),
    ("kade2kfp validate --ignore K206,K20", [f"K206,K20{number}" for number in range(10)], None),
    ("kade2kfp describe pipeline.json --task pr", ["prepare"], None),
    ("kade2kfp submit --cluster-timezone Europe/Be", ["Europe/Belfast", "Europe/Belgrade", "Europe/Berlin"], None),
    ("kade2kfp new tr", ["train"], None),
    ("kade2kfp new hello ", ["data/"], ["data"]),
    ("kade2kfp completion ", ["bash", "zsh", "fish"], None),
    ("kade2kfp runs pr", ["prune"], None),
    ("kade2kfp runs prune --keep 3 --d", ["--dry-run"], None),
    ("kade2kfp show --output=j", ["--output=json"], ["json"]),
    ("kade2kfp predict last train --path ", [], None),
]


# Where the shells differ (words with `=`, paths, order), each is asked; bash is asked everything.
ASKED = [
    pytest.param(shell, *case, id=f"{shell}: {case[0]}")
    for case in CASES
    for shell in SHELLS
    if shell == "bash"
    or case[2] is not None
    or "=" in str(case[:2])
    or case[0].startswith(("kade2kfp val", "kade2kfp logs"))
]


@pytest.mark.parametrize(("shell", "line", "wanted", "in_bash"), ASKED)
def test_what_is_offered(home: Path, shell: str, line: str, wanted: list[str], in_bash: list[str] | None) -> None:
    if shell not in HERE:
        pytest.skip(f"{shell} is not installed: scripts/packages.sh --install")
    found = offers(shell, line, here(home), home)
    if shell == "bash":
        assert found == (in_bash if in_bash is not None else wanted)
    elif line.startswith("kade2kfp logs"):
        assert found == wanted  # the newest run first
    else:  # zsh adds the slash of a folder later
        assert sorted(one.rstrip("/") for one in found) == sorted(one.rstrip("/") for one in wanted)


@pytest.mark.parametrize("shell", [one for one in HERE if one != "fish"])
def test_a_word_is_completed_on_a_terminal(home: Path, shell: str) -> None:
    env = plain_environment(home)
    setup = home / "setup"
    setup.write_text(f'source <(kade2kfp completion {shell})\nPS1="(ready)"\n')
    if shell == "bash":
        command = ["bash", "--noprofile", "--rcfile", str(setup), "-i"]
    else:
        (home / ".zshrc").write_text("autoload -U compinit; compinit -u -D\n" + setup.read_text())
        command = ["zsh", "-d", "-i"]
    shown = typed(command, "kade2kfp run pip\t--from pu\t--set ra\t5", here(home), env, "=5")
    assert "kade2kfp run pipeline.json --from publish --set rate=5" in re.sub(" ?[\x07\x08]", "", shown)


def rows(line: str, cwd: Path, shell: str = "zsh", **more: str) -> subprocess.CompletedProcess[bytes]:
    ran = kade2kfp(cwd=cwd, env={"_KADE2KFP_COMPLETE": shell, "_KADE2KFP_LINE": line, **more})
    assert (ran.returncode, ran.stderr) == (0, b"")
    no_bug(ran)
    return ran


HOSTILE = {
    "tasks": [
        {"id": "\x1b[31mred", "type": "job"},
        {"id": "a\nword\tinjected", "type": "job"},
        {"id": "$(touch hacked)", "type": "job"},
        {"id": "%0A::error::", "type": "job"},
        {"id": "<script>", "type": "job"},
        {"id": "x" * 5000, "type": "job"},
        {"id": "\u202eevil", "type": "job"},
        {"id": "fine", "type": "\x1b]0;title\x07job", "name": "two\nlines\tand \x9b31m tabs \u202e" * 20},
        {"id": {"no": "text"}},
        "no task",
    ],
    "parameters": [{"name": "; rm -rf ~"}, {"name": "ok", "enum": ["$(id)", "`id`", "a b", "\x1b[0m", "good", [1]]}],
    "volumes": {"no": "list"},
}


def test_no_text_of_a_document_reaches_the_terminal_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, HOSTILE)
    found = rows("kade2kfp run pipeline.json --from ", tmp_path).stdout.decode()
    (row,) = found.splitlines()
    assert row.startswith("word\tfine\t\\x1b]0;title\\x07job: two\\x0alines")
    assert len(row) < 100
    assert rows("kade2kfp run pipeline.json --set ", tmp_path).stdout == b"part\tok=\n"
    assert rows("kade2kfp run pipeline.json --set ok=", tmp_path).stdout == b"word\tok=good\n"
    assert rows("kade2kfp run pipeline.json --volume ", tmp_path).stdout == b""


@pytest.mark.parametrize("shell", HERE)
def test_hostile_names_do_nothing_in_a_shell(home: Path, shell: str) -> None:
    write(here(home), HOSTILE)
    assert offers(shell, "kade2kfp run pipeline.json --from ", here(home), home) == ["fine"]
    strange = home / ".local/share/kade2kfp/runs/$(touch hacked)-20260309-140559-0c6b"
    strange.mkdir()
    (strange / "state.json").write_text("{}")
    assert offers(shell, "kade2kfp logs '$(touch hacked)' ", here(home), home) == []
    assert not (here(home) / "hacked").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b"[1]", b'{"tasks": 5}', b'{"tasks": [{"id": 1e9}]}', None],
)
def test_a_broken_document_offers_nothing_and_says_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        content = json.dumps({"tasks": [{"id": "a", "script": "x" * 5_000_000}]}).encode()
    (tmp_path / "pipeline.json").write_bytes(content)
    for option in ("--from", "--set", "--volume"):
        assert rows(f"kade2kfp run pipeline.json {option} ", tmp_path).stdout == b""


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("pipe.json", "/dev/zero", "/dev/tty", "-", ".", "pipe.json/x", "x" * 5000):
        assert rows(f"kade2kfp run {name} --from ", tmp_path).stdout == b""


@pytest.mark.parametrize(
    "line",
    [
        "",
        "kade2kfp",
        "kade2kfp '",
        'kade2kfp "a \\',
        "kade2kfp nope x ",
        "kade2kfp -x --y=z ",
        "kade2kfp run -- --from ",
    ]
    + [f"kade2kfp {name} --nope {end}" for name in ("run", "logs", "runs", "viewer") for end in ("", "x", "--set ")],
)
def test_a_line_that_is_wrong_is_no_reason_to_speak(tmp_path: Path, line: str) -> None:
    rows(line, tmp_path)


def test_a_home_that_cannot_be_read_is_no_reason_to_speak(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "none", tmp_path / "file"):
        assert rows("kade2kfp logs ", tmp_path, KADE2KFP_HOME=str(home)).stdout == b""
    assert kade2kfp(cwd=tmp_path, env={"_KADE2KFP_COMPLETE": "zsh"}).stdout == b""  # no line


def test_a_reader_that_has_gone_is_no_reason_to_speak(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = environment(_KADE2KFP_COMPLETE="zsh", _KADE2KFP_LINE="kade2kfp ")
    command = [sys.executable, "-m", "kade2kfp"]
    with open("/dev/full", "wb") as full:
        for to in (writing, full):
            ran = subprocess.run(command, cwd=tmp_path, env=env, stdout=to, stderr=subprocess.PIPE)
            assert (ran.returncode, ran.stderr) == (0, b"")
    closed = subprocess.run(["sh", "-c", f"{sys.executable} -m kade2kfp >&-"], env=env, stderr=subprocess.PIPE)
    assert (closed.returncode, closed.stderr) == (0, b"")
    os.close(writing)


def test_every_command_is_offered_with_what_it_does(tmp_path: Path) -> None:
    found = [row.split("\t") for row in rows("kade2kfp ", tmp_path).stdout.decode().splitlines()]
    assert [cells[1] for cells in found] == sorted(_COMMANDS)
    assert all(len(cells) == 3 and cells[2] for cells in found)


def test_the_words_are_those_of_the_commands() -> None:
    ran = subprocess.run([sys.executable, "scripts/words.py", "--check"], cwd=TOP, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def spent(env: dict[str, str], cwd: Path, *more: str) -> float:
    """Seconds of CPU of a new process, the least of some."""
    least = 1e9
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "kade2kfp", *more], cwd=cwd, env=env, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def test_nobody_waits_for_it(home: Path) -> None:
    bare = spent(environment(), here(home), "--version")
    for line in (
        "kade2kfp run pipeline.json --from ",
        "kade2kfp logs last ",
        "kade2kfp explain K",
        "kade2kfp submit --",
    ):
        asked = environment(_KADE2KFP_COMPLETE="zsh", _KADE2KFP_LINE=line, HOME=str(home))
        assert spent(asked, here(home)) < 3 * bare, line


def test_no_command_is_imported(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    env = environment(_KADE2KFP_COMPLETE="bash", _KADE2KFP_LINE="kade2kfp run pipeline.json --from g")
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kade2kfp"], cwd=tmp_path, env=env, capture_output=True
    )
    assert ran.stdout == b"word\tgreet\tjob\n"
    imported = {row.rpartition(b"|")[2].strip() for row in ran.stderr.splitlines()}
    assert b"kade2kfp.cli.offered" in imported
    assert not imported & {b"pydantic", b"kade2kfp.cli.run_command", b"kfp", b"yaml", b"rich", b"kade2kfp.api"}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_help_says_where_the_script_goes(tmp_path: Path, shell: str) -> None:
    text = kade2kfp("completion", "--help", cwd=tmp_path).stdout.decode()
    assert f"kade2kfp completion {shell} >" in text
    ran = kade2kfp("completion", shell, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, (TOP / f"templates/completion/kade2kfp.{shell}").read_bytes())


@pytest.mark.parametrize("words", [[], ["tcsh"], ["bash", "zsh"], ["\x1b[31m"]])
def test_another_shell_is_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    ran = kade2kfp("completion", *words, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert "bash" in ran.stderr.decode()
    no_bug(ran)


@pytest.mark.parametrize(
    "words", [["new", "hello"], ["new", "hello", "--name", "x"], ["completion", "zsh"], ["explain", "K301"]]
)
def test_what_begins_costs_little(tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "kade2kfp", *words]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True)
    assert ran.returncode == 0
    imported = {row.rpartition(b"|")[2].strip().partition(b".")[0] for row in ran.stderr.splitlines()}
    assert not imported & {b"kfp", b"kubernetes", b"google", b"yaml", b"requests", b"minio", b"rich"}
    assert ("--name" in words) is (b"pydantic" in imported)
