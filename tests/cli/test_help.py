"""Help, suggestions, `schema`, and what none of them may cost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kade2kfp as package
from kade2kfp import cli
from kade2kfp.cli.declared import about, arguments_of
from kade2kfp.cli.help import in_full

from . import walk
from .command import HELLO, environment, kade2kfp, no_bug, write

TOP = Path(__file__).parents[2]


COMMANDS = walk.commands()


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("words", COMMANDS)
def test_help_fits_a_screen_and_has_an_example(words: str) -> None:
    said = COMMANDS[words].get_help()
    lines = said.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"Usage: kade2kfp {words}")
    examples = [line for line in lines if line.startswith("    kade2kfp ")]
    assert examples
    assert all(f" {words}" in line for line in examples)
    assert "\b" not in said
    assert "\\b" not in said
    assert "--help-all" in said


@pytest.mark.parametrize("words", COMMANDS)
def test_help_names_every_option_and_the_whole_help_explains_it(words: str) -> None:
    context = COMMANDS[words]
    short, whole = context.get_help(), " ".join(in_full(context).split())
    for option in walk.options(context):
        assert re.search(rf"(?<![\w-])({'|'.join(option.opts)})(?![\w-])", short), option.opts
        assert all(name in whole for name in option.opts + option.secondary_opts)
        assert " ".join((option.help or "?").split()) in whole
    for argument, text in arguments_of(context.command):
        assert text, f"kade2kfp/cli/declared.py does not say what {argument} is"


@pytest.mark.parametrize("words", COMMANDS)
def test_the_examples_are_command_lines(words: str) -> None:
    examples = about(COMMANDS[words].command).examples
    assert examples
    for line in examples:
        (call,) = [one for one in walk.calls(line) if " ".join(one).startswith(words)] or [[]]
        assert call, line
        meant = max((one for one in COMMANDS if f"{' '.join(call)} ".startswith(f"{one} ")), key=len)
        command = COMMANDS[meant].command
        with command.make_context(meant, call[len(meant.split()) :], parent=COMMANDS[meant].parent):
            pass


@pytest.mark.parametrize("words", ["", "compile", "runs prune", "serving list", "ssh", "submit"])
def test_all_ways_to_ask_for_help_say_the_same(tmp_path: Path, words: str) -> None:
    here = words.split()
    ran = kade2kfp(*here, "--help", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    lines = ran.stdout.decode().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for other in ([*here, "-h"], ["help", *here], ["--help", *here], ["-h", *here]):
        assert kade2kfp(*other, cwd=tmp_path).stdout == ran.stdout, other
    if words:
        assert ran.stdout.decode() == COMMANDS[words].get_help() + "\n"
        assert b"Arguments" in kade2kfp("help", *here, "--help-all", cwd=tmp_path).stdout or words == "runs prune"


@pytest.mark.parametrize("columns", ["1", "30", "64", "200"])
def test_help_is_whole_on_any_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words, context in COMMANDS.items():
        said = context.get_help()
        assert max(len(line) for line in said.splitlines() if not line.startswith("    kade2kfp ")) <= 80
        assert "Examples:" in said, words
        assert "Options:" in in_full(context)


def test_every_command_is_in_the_help_once(tmp_path: Path) -> None:
    _, _, listed = kade2kfp("--help", cwd=tmp_path).stdout.decode().partition("Commands:\n")
    rows = [row.strip().partition("  ")[0].split(", ") for row in listed.split("\n\n")[0].splitlines()]
    assert sorted(name for row in rows for name in row) == sorted(cli._COMMANDS)


def test_the_examples_of_help_run(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    write(tmp_path, HELLO)
    write(tmp_path, HELLO, "pipelines/a.json")
    for words in (["validate"], ["schema"]):
        for line in kade2kfp(*words, "--help", cwd=tmp_path).stdout.decode().splitlines():
            if line.startswith("    kade2kfp "):
                command = line.strip().replace("kade2kfp", f"{sys.executable} -m kade2kfp", 1)
                ran = subprocess.run(
                    command, shell=True, cwd=tmp_path, env=environment(), capture_output=True, timeout=60
                )
                assert ran.returncode == 0, line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["complie", "x"], "`compile`"),
        (["Validate"], "`validate`"),
        (["zzz"], "`kade2kfp --help` lists them"),
        (["com\x1b[31m"], "\\x1b"),
        (["validate", "--no-source", "x"], "--no-sources"),
        (["compile", "--wError", "x"], "--werror"),
        (["compile", "x", "--format", "yaml"], "pipelineversion"),
        (["compile"], "FILE"),
        (["validate", "x", "--\x1b[31m"], "\\x1b"),
        (["schema", "x"], "x"),
        ([], "Usage"),
    ],
)
def test_wrong_usage_says_what_is_right(tmp_path: Path, words: list[str], says: str) -> None:
    ran = kade2kfp(*words, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert says in ran.stderr.decode()
    no_bug(ran)


def test_version(tmp_path: Path) -> None:
    assert kade2kfp("--version", cwd=tmp_path).stdout == f"kade2kfp, version {package.__version__}\n".encode()


def test_the_script_does_the_same(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "kade2kfp"
    ran = subprocess.run([script, "--help"], cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    assert ran.stdout == kade2kfp("--help", cwd=tmp_path).stdout


def test_the_schema_is_json_and_is_written_where_one_says(tmp_path: Path) -> None:
    ran = kade2kfp("schema", cwd=tmp_path)
    assert json.loads(ran.stdout)["$schema"].startswith("https://json-schema.org/")
    assert kade2kfp("schema", "-o", "s.json", cwd=tmp_path).stdout == b""
    assert (tmp_path / "s.json").read_bytes() == ran.stdout
    assert kade2kfp("schema", "-o", "none/s.json", cwd=tmp_path).returncode == 1
    assert kade2kfp("schema", "-o", ".", cwd=tmp_path).returncode == 2


def test_schema_check_compares_with_the_one_that_is_shipped(tmp_path: Path) -> None:
    same = (TOP / "schemas" / "pipeline.v1.json").read_bytes() == kade2kfp("schema", cwd=tmp_path).stdout
    ran = kade2kfp("schema", "--check", cwd=tmp_path)
    assert ran.returncode == (0 if same else 1)
    assert (b"stale" in ran.stderr) is not same


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["compile", "--help"],
        ["validate", "pipeline.json"],
        ["describe", "pipeline.json"],
        ["describe", "pipeline.json", "--json"],
        ["graph", "pipeline.json", "-o", "x.svg"],
        ["graph", "pipeline.json"],
        ["fmt", "pipeline.json"],
        ["upgrade", "pipeline.json"],
        ["explain", "K301"],
        ["explain", "--list"],
        ["new", "hello"],
        ["completion", "bash"],
        ["schema"],
        ["schema", "describe"],
        ["gates", "--home", "."],
        ["open", "-n", "x", "--help"],
    ],
    ids=" ".join,
)
def test_what_needs_no_kfp_does_not_import_it(tmp_path: Path, words: list[str]) -> None:
    write(tmp_path, HELLO)
    command = [sys.executable, "-X", "importtime", "-m", "kade2kfp", *words]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    assert ran.returncode == 0
    rows = [row for row in ran.stderr.decode().splitlines() if row.startswith("import time:")]
    imported = {row.rpartition("|")[2].strip().partition(".")[0] for row in rows}
    assert "kade2kfp" in imported
    assert not imported & {"kfp", "kubernetes", "google", "yaml", "requests", "minio", "rich"}


def test_help_does_not_wait_for_the_compiler(tmp_path: Path) -> None:
    names = (
        "artifacts compare compile context describe explain fmt gates graph logs new open predict rbac reject resume"
    )
    names += " runs schema serving show ssh stop upgrade validate viewer"
    code = (
        "import sys, kade2kfp.cli as c\n"
        "for name in sys.argv[1:]:\n"
        "    try: c.main([name, '--help'])\n"
        "    except SystemExit as end: assert not end.code\n"
        "    assert not {'pydantic', 'kade2kfp.api', 'rich'} & set(sys.modules), name"
    )
    command = [sys.executable, "-c", code, *names.split()]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.count(b"Usage: kade2kfp ") == len(names.split())


def test_the_package_says_that_it_is_typed() -> None:
    assert (TOP / "kade2kfp" / "py.typed").is_file()
