"""Each wrong command line ends with 2, and says what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from kade2kfp import cli

from . import walk
from .command import HELLO, kade2kfp, no_bug, write

Call = Callable[..., tuple[int, str, str]]
COMMANDS = walk.commands()
NEED_NOTHING = {"context list", "context show", "doctor", "gates", "new", "rbac", "runs", "schema"}
"""Commands that are right, or tried, without an argument; and `list` of the groups."""


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """The command line within this process: exit code, standard output and standard error."""
    monkeypatch.setattr(cli, "_make_haste", lambda: None)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    monkeypatch.setenv("KADE2KFP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    for name in (
        "KFP_ENDPOINT",
        "KF_PIPELINES_ENDPOINT",
        "KADE2KFP_CONFIG",
        "KADE2KFP_CONTEXT",
        "KUBERNETES_SERVICE_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        assert "\x1b" not in said.err
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def wrong(words: str) -> Iterator[tuple[list[str], str]]:
    """Wrong command lines of a command, each with a text of which one has to be said."""
    context = COMMANDS[words]
    command = context.command
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    given = ["last" for one in arguments if one.required for _ in range(2 if one.metavar == "RUN RUN..." else 1)]
    for one in arguments:
        if isinstance(one.type, click.Choice) and one.required:
            given = [str(one.type.choices[0])]
    required = [word for one in walk.options(context) if one.required for word in (one.opts[-1], "1")]
    here = [*words.split(), *given, *required]
    if given:
        yield words.split(), "Missing argument"
    if required:
        yield [*words.split(), *given], f"write --{required[0].strip('-')}"
    yield [*here, "--zzzz"], f"`kade2kfp {words} --help` lists them"
    yield [*here, "-Z"], f"`kade2kfp {words} --help` lists them"
    for one in walk.options(context):
        name = next(name for name in one.opts if name.startswith("--"))
        yield [*here, f"{name}x"], f"did you mean `{name}"
        if one.is_flag:
            yield [*here, f"{name}=1"], name
        elif one.is_bool_flag is False and not one._flag_needs_value:
            yield [*here, name], f"write {name} "
        if isinstance(one.type, click.Choice):
            for value in ("nonsense", ""):
                yield [*here, name, value], f"'{one.type.choices[0]}'"
        if isinstance(one.type, click.IntRange):
            for value in ("abc", "-1", "1.5", ""):
                yield [*here, name, value], f"{name} takes a whole number, "
    if isinstance(command, click.Group):
        yield [*here, "bogus"], "its commands: "
    elif not any(one.nargs == -1 for one in arguments):
        yield [*words.split(), *(["last"] * len(arguments)), "more", *required], "Error: "


@pytest.mark.parametrize("words", COMMANDS)
def test_every_wrong_use_says_what_is_right(call: Call, words: str) -> None:
    for line, says in wrong(words):
        code, out, err = call(*line)
        assert (code, out) == (2, ""), line
        assert says in err, line
        assert err.startswith(f"Usage: kade2kfp {words}"), line
        assert f"For example: kade2kfp {words.split()[0]}" in err
        assert f"Try 'kade2kfp {words} --help' for help." in err


@pytest.mark.parametrize("words", [one for one in COMMANDS if not one.endswith("list") and one not in NEED_NOTHING])
def test_a_command_without_its_arguments_says_what_it_takes(call: Call, words: str) -> None:
    code, out, err = call(*words.split())
    assert (code, out) == (2, "")
    assert f"kade2kfp {words}" in err


RIGHT = [
    (["run", "p.json", "--set", "x"], "'x' is not NAME=VALUE, such as --set seed=7"),
    (["submit", "p.json", "--param", "x"], "'x' is not NAME=VALUE, such as --param seed=7"),
    (["run", "p.json", "--param", "x"], "'x' is not NAME=VALUE, such as --set seed=7"),
    (["run", "p.json", "--parm", "x=1"], "did you mean `--param NAME=VALUE`?"),
    (["validate", "p.json", "--param"], "write --param NAME=VALUE"),
    (["submit", "p.json", "--set"], "write --set NAME=VALUE"),
    (["resume", "last", "--param", "x=1"], "did you mean `--set NAME=VALUE`?"),
    (["submit", "p.json", "--cluster-timezone", "Berlin"], "did you mean `Europe/Berlin`?"),
    (["gates", "--endpoint", "x", "--kfp-context", "y"], "exclude each other"),
    (["doctor", "p.json", "--param", "=1"], "'=1' is not NAME=VALUE, such as --param seed=7"),
    (["submit", "p.json", "--params-file", "none.yaml"], "cannot take values from none.yaml"),
    (["submit", "p.json", "--wait", "--dry-run"], "no run to wait for"),
    (["submit", "p.json", "--timeout", "2h"], "--wait or --follow"),
    (["submit", "p.json", "--timeout", "2 h", "--wait"], "a duration such as `30m`"),
    (["submit", "p.json", "--schedule", "x"], "neither a duration such as 12h, nor cron"),
    (["rerun", "last", "--cluster", "--jobs", "2"], "--jobs is for runs on this machine"),
    (["rerun", "last", "--follow"], "--follow is for runs on a cluster"),
    (["run", "p.json", "--from", "greet", "--only", "greet"], "exclude each other"),
    (["run", "p.json", "--from", "gret"], "did you mean `greet`?"),
    (["run", "p.json", "--base", "last"], "--from and --only"),
    (["run", "p.json", "--volume", "x"], "such as data=./data"),
    (["run", "p.json", "--volume", "x=."], "there are no volumes"),
    (["run", "p.json", "--copy", "x"], "such as s3://bucket/data=./data"),
    (["run", "p.json", "--readable", "none"], "there is no folder 'none'"),
    (["run", "p.json", "--home", ""], "it is empty"),
    (["show", "last", "--endpoint", "ftp://x"], "such as https://"),
    (["show", "last", "--endpoint", ""], "it is empty"),
    (["show", "last", "--endpoint", "x", "--port-forward"], "exclude each other"),
    (["show", "last", "--home", ".", "--cluster"], "--home is for runs on this machine"),
    (["show", "last", "--kube-context", "x"], "--namespace"),
    (["show", "last", "--html", "x", "--output", "json"], "leave TASK and --output out"),
    (["logs", "last", "--store", ""], "such as https://"),
    (["logs", "last", "--store", "s3://x"], "such as https://"),
    (["compare", "last"], "Two runs or more"),
    (["logs", "last", "--attempt", "1", "--all-attempts"], "exclude each other"),
    (["artifacts", "last", "--force"], "--copy-to"),
    (["runs", "prune"], "--keep N"),
    (["runs", "prune", "--all", "--keep", "1"], "leave out"),
    (["runs", "prune", "--older-than", "1"], "`7d`"),
    (["runs", "prune", "--cluster"], "`kade2kfp runs prune --help` lists them"),
    (["predict", "x", "--json", "{"], "line 1, column 2"),
    (["predict", "x", "--json", "@none"], "cannot read none"),
    (["explain", "nothing"], "--list"),
    (["explain", "K999"], "--list"),
    (["schema", "-o", "."], "is a directory"),
    (["rbac", "--namespace", "A B"], "lower-case"),
    (["viewer", "opne"], "open"),
    (["hepl"], "There is no command 'hepl'"),
    (["help", "rnu"], "did you mean `run`?"),
    (["--help", "zzz"], "`kade2kfp --help` lists them"),
    (["--zzz"], "`kade2kfp --help` lists them"),
]


@pytest.mark.parametrize(("words", "says"), RIGHT, ids=lambda given: " ".join(given) if isinstance(given, list) else "")
def test_what_cannot_be_meant_says_what_can(call: Call, tmp_path: Path, words: list[str], says: str) -> None:
    write(tmp_path, HELLO, "p.json")
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert "For example: kade2kfp " in err


MISSING = [
    (["show", "none"], "`kade2kfp run pipeline.json` starts one"),
    (["context", "use", "none"], "none"),
    (["show", "last", "--cluster"], "--endpoint"),
    (["validate", "none.json"], "none of this name"),
    (["submit", "none.json"], "none of this name"),
    (["bento", "none.json", "serve", "-o", "x"], "none of this name"),
]


@pytest.mark.parametrize(
    ("words", "says"), MISSING, ids=lambda given: " ".join(given) if isinstance(given, list) else ""
)
def test_what_is_not_there_is_said_with_what_to_do(call: Call, words: list[str], says: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (1, "")
    assert says in err


def test_the_example_is_one_of_what_was_wrong(call: Call) -> None:
    assert "For example: kade2kfp runs prune --older-than 30d" in call("runs", "prune", "--older-than", "x")[2]
    assert "For example: kade2kfp show last\n" in call("show")[2]


def test_hostile_words_are_escaped(tmp_path: Path) -> None:
    for words in (
        ["run", "x", "--\x1b[31m\u202e"],
        ["run", "x", "--engine", "\x1b]0;x\x07"],
        ["logs", "x", "--tail", "\x9b1m"],
        ["viewer", "\x1b[2J"],
        ["show", "a", "b", "\x1b[2J\u202e\x9b1m"],
        ["--\u202e"],
        ["\u202e\x9b1m"],
    ):
        ran = kade2kfp(*words, cwd=tmp_path)
        assert ran.returncode == 2
        assert "\u202e" not in ran.stderr.decode()
        assert "\x9b" not in ran.stderr.decode()
        no_bug(ran)
