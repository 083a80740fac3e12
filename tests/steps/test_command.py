"""Text on its way to the user's process: cut so that nothing replaces parts of it, and whole again when it arrives."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kade2kfp.steps.command import container_command, is_plain, letters, needs_script, pieces, plain_env
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import (
    ArtifactInput,
    ArtifactOutput,
    EmbeddedFile,
    EnvFrom,
    EnvValue,
    Gate,
    GateValue,
    Jupyter,
    Metrics,
    ParameterOutput,
    Retry,
    Ssh,
    VolumeOutput,
)
from kade2kfp.steps.sources import Param, RunInfo, Source, Text

REPLACED = re.compile(r'\{\{|\$\(|\$\$|\{"IfPresent":')
# Literal text made of what is dangerous, and of anything else.
LITERALS = st.text(st.sampled_from("{}$()\"' :\\\n%xIfPresent한")) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)
FRAGMENTS = st.lists(st.sampled_from(["{", "$", "(", ")", "}", '"IfPresent":', "workflow.name", "HOME", "a"])).map(
    "".join
)
TEXTS = st.lists(LITERALS | FRAGMENTS | st.builds(Param, st.sampled_from("abc"), st.just("string"))).map(tuple)


class Values:
    """Places in which a value is known: what stands between the pieces once KFP has filled them in."""

    def __init__(self, values: dict[str, str] | None = None, root: str = "/kfp") -> None:
        self.values = values or {}
        self.root = root

    def value(self, source: Source) -> str:
        assert isinstance(source, Param)
        return self.values.get(source.name, "")

    def input_path(self, name: str) -> str:
        return f"{self.root}/in/{name}"

    def input_uri(self, name: str) -> str:
        return f"s3://bucket/in/{name}"

    def output_path(self, name: str) -> str:
        return f"{self.root}/artifacts/{name}"

    def output_uri(self, name: str) -> str:
        return f"s3://bucket/{name}"

    def parameter_file(self, name: str) -> str:
        return f"{self.root}/parameters/{name}"

    def port(self, number: int) -> int:
        return number + 1


def step(*command: str | Text, **fields: Any) -> Step:
    vector = tuple((word,) if isinstance(word, str) else word for word in command)
    return Step(**{"task": "t", "name": "t", "display_name": "t", "image": ("i",), "command": vector} | fields)


def joined(text: Text, places: Values) -> str:
    return "".join(part if isinstance(part, str) else places.value(part) for part in text)


def on_its_way(word: str) -> str:
    """What Kubernetes' two expansions, Argo and KFP's driver make of a word of a command."""
    assert not word.strip().startswith('{"IfPresent":')
    word = re.sub(r"\{\{\s*workflow\.name\s*\}\}", "a-run", word)
    for _ in range(2):
        word = re.sub(r"\$\$|\$\((HOME|PATH)\)", lambda m: "$" if m.group() == "$$" else "/root", word)
    return word


def run(of: Step, root: Path, values: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[bytes]:
    command, args = container_command(of, Values(values, str(root)))
    arrived = [on_its_way(word) for word in [*command, *args]]
    return subprocess.run(arrived, capture_output=True, timeout=60, check=False, **more)


@given(TEXTS)
@example(("{", "{x}}"))
@example(("$", "", "(HOME)"))
@example(("$", Param("a", "string")))
@example(("", Param("a", "string"), ""))
def test_pieces_hold_nothing_that_is_replaced_and_join_to_the_text(text: Text) -> None:
    values = Values({"a": "v", "b": "w", "c": ""})
    parts = [part for _, part in pieces(text, values)]
    assert parts
    assert "".join(parts) == joined(text, values)
    assert not [part for part in parts if REPLACED.search(part)]


@given(
    TEXTS,
    st.fixed_dictionaries({name: st.sampled_from(["{", "$", "(x)", "{x}}", "$HOME", "v"]) for name in "abc"}),
)
def test_a_value_forms_nothing_with_what_stands_beside_it(text: Text, known: dict[str, str]) -> None:
    values = Values(known)
    parts = [part for _, part in pieces(text, values)]
    assert "".join(parts) == joined(text, values)
    assert not [part for part in parts if REPLACED.search(part)]


def test_text_that_needs_no_protection_stays_one_piece() -> None:
    harmless = (
        "--name=",
        Param("a", "string"),
        "/x $HOME ${HOME} {a} }} $",
    )
    assert len(pieces(harmless, Values({"a": "v"}))) == 1
    assert pieces((), Values()) == [("+", "")]


def test_a_plain_step_runs_in_an_image_without_a_shell() -> None:
    plain = step("/app", "--x", "$HOME", ("--y=", Param("a", "string")), env=(EnvValue("A", ("$HOME",)),))
    assert not needs_script(plain)
    assert container_command(plain, Values({"a": "1"})) == (["/app"], ["--x", "$HOME", "--y=1"])
    assert list(plain_env(plain)) == [("A", "$HOME")]


@pytest.mark.parametrize(
    "fields",
    [
        {"inputs": (ArtifactInput("n", "s", "o", "/in", "file"),)},
        {"outputs": (ArtifactOutput("n", "/out", "directory"),)},
        {"outputs": (VolumeOutput("/out", "directory"),)},
        {"parameters": (ParameterOutput("n", "/out", "string"),)},
        {"metrics": Metrics("/m.json")},
        {"files": (EmbeddedFile("/f", b""),)},
        {"requirements": ("numpy",)},
        {"working_dir": "/w"},
        {"folders": ("/f",)},
        {"retry": Retry(1)},
        {"gate": Gate(60)},
        {"env": (EnvValue("A", ("$(HOME)",)),)},
        {"env": (EnvValue("A", (RunInfo("id"),)),)},
        {"command": (("{{",),)},
        {"command": (('{"IfPresent": {"InputName": "x", "Then": ["y"]}}',),)},
    ],
)
def test_a_step_that_needs_the_script_gets_it(fields: dict[str, Any]) -> None:
    assert needs_script(step("true", **fields))


@pytest.mark.parametrize("fields", [{"retry": Retry(1, on="pod")}, {"env": (EnvFrom("A", "secret", ("s",), "k"),)}])
def test_what_the_backend_does_needs_no_script(fields: dict[str, Any]) -> None:
    assert not needs_script(step("true", **fields))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(LITERALS | FRAGMENTS, max_size=4),
    st.lists(LITERALS | FRAGMENTS, max_size=2),
    st.sampled_from(["", "$(", "v"]),
)
def test_arguments_and_variables_arrive_byte_for_byte(arguments: list[str], variables: list[str], value: str) -> None:
    env = tuple(EnvValue(f"V{n}", (text,)) for n, text in enumerate(variables))
    script = 'for a do printf "%s\\0" "$a"; done; printf "%s\\0" "${V0-}" "${V1-}"'
    text: Text = ("$", Param("a", "string"), "{")
    of = step("sh", "-c", script, "sh", *arguments, text, env=env, folders=("/tmp",))
    # What a value itself holds is refused at submit, so it is not part of this.
    done = run(
        of,
        Path("/nonexistent"),
        {"a": value.replace("$(", "(")},
        env={"PATH": "/usr/bin:/bin", **dict(plain_env(of))},
    )
    expected = [*arguments, "$" + value.replace("$(", "(") + "{", *variables, *[""] * (2 - len(variables))]
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split("\0")[:-1] == expected


def test_an_argument_of_100_kilobytes_arrives(tmp_path: Path) -> None:
    long = "$(HOME) {{workflow.name}} $$ '한\n" * 3000
    done = run(step("printf", "%s", long), tmp_path)
    assert done.stdout.decode() == long


@pytest.mark.parametrize("odd", ["$(HOME)", "{{workflow.name}}", "a $$ b", "it's", "-n", 'x"y', "한글\n"])
def test_folders_and_files_of_any_name(tmp_path: Path, odd: str) -> None:
    of = step(
        "sh",
        "-c",
        'cat "$1" > got.txt',
        "sh",
        f"{tmp_path}/{odd}/file",
        files=(EmbeddedFile(f"{tmp_path}/{odd}/file", b"content\n"),),
        folders=(f"{tmp_path}/made {odd}",),
        working_dir=f"{tmp_path}/at {odd}",
    )
    done = run(of, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"at {odd}" / "got.txt").read_text() == "content\n"
    assert (tmp_path / f"made {odd}").is_dir()


def test_inputs_and_outputs_of_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "$(HOME) {{workflow.name}} $$"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "n").write_text("arrived")
    of = step(
        "sh",
        "-c",
        """cp "$1/in" "$1/out"; printf '{"a$(b)": 0.5}' > "$1/m"; printf 7 > "$1/p\"""",
        "sh",
        str(odd),
        inputs=(ArtifactInput("n", "s", "o", f"{odd}/in", "file"),),
        outputs=(ArtifactOutput("o", f"{odd}/out", "file"),),
        parameters=(ParameterOutput("p", f"{odd}/p", "integer"),),
        metrics=Metrics(f"{odd}/m", ("a$(b)",)),
    )
    done = run(of, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "artifacts" / "o").read_text() == "arrived"
    assert (tmp_path / "parameters" / "p").read_text() == "7"
    assert (tmp_path / "parameters" / "metric-a$(b)").read_text() == "0.5"


@pytest.mark.parametrize(
    ("retry", "spec"),
    [
        (Retry(2), "2 0 2 3600"),
        (Retry(1, 0.2, 1.5, 8 * 86400 + 1), "1 1 1.5 691201"),
        (Retry(1, 5_000_000, 10_000_000, 30_000_000), "1 5000000 10000000 30000000"),
        (Retry(1, 1, 1e-5, 1), "1 1 0 1"),
    ],
)
def test_a_retry_is_said_in_whole_seconds_without_exponents(retry: Retry, spec: str) -> None:
    _, args = container_command(step("true", retry=retry), Values())
    assert args[:2] == ["t", spec]


def test_the_last_argument_may_be_one_that_was_cut(tmp_path: Path) -> None:
    done = run(step("echo", "{{x}}"), tmp_path)
    assert done.stdout == b"{{x}}\n"


@pytest.mark.parametrize(
    ("output", "letter"),
    [
        (ArtifactOutput("a", "/a", "directory"), "o"),
        (ArtifactOutput("a", "/a", "file"), "p"),
        (ArtifactOutput("a", "/v/a", "directory", keep=True), "O"),
        (ArtifactOutput("a", "/v/a", "file", keep=True), "P"),
        (VolumeOutput("/v", "directory"), "d"),
        (VolumeOutput("/v", "file"), "D"),
    ],
)
def test_each_kind_of_output_has_a_letter_of_its_own(output: ArtifactOutput | VolumeOutput, letter: str) -> None:
    assert letters(step("true", outputs=(output,))) - {"+"} == {letter}


@given(TEXTS)
def test_only_literal_text_without_danger_is_plain(text: Text) -> None:
    parts = [part for part in text if isinstance(part, str)]
    assert is_plain(text) == (len(parts) == len(text) and not REPLACED.search("".join(parts)))


def operations(of: Step, places: Values) -> list[tuple[str, str, str]]:
    """The letters of the step's operations, each with its register and its value; not run, for a gate ends all processes."""
    _, args = container_command(of, places)
    found, register = [], ""
    for letter, value in zip(args[: args.index("--") : 2], args[1 : args.index("--") : 2], strict=True):
        if letter == "+":
            register += value
        else:
            found.append((letter, register, value))
            register = ""
    return found


@given(TEXTS, st.lists(LITERALS | FRAGMENTS, max_size=3))
def test_a_gates_message_and_defaults_arrive_and_nothing_of_them_is_replaced(
    message: Text, defaults: list[str]
) -> None:
    places = Values({"a": "v", "b": "{", "c": "$"})
    values = tuple(GateValue(f"n{i}", "string", required=False, default=text) for i, text in enumerate(defaults))
    of = step("true", gate=Gate(60, message=message, values=values))
    _, args = container_command(of, places)
    assert not [word for word in args if REPLACED.search(word)]
    wanted = [("V", f"={text}", f"n{i}") for i, text in enumerate(defaults)]
    assert operations(of, places) == [("g", joined(message, places), "t 60 reject wait fail cl"), *wanted]


@pytest.mark.parametrize(
    ("default", "text"),
    [
        (False, "=false"),
        (0, "=0"),
        ("", "="),
        (2.0, "=2"),
        (1e300, "=1e+300"),
        ([], "=[]"),
        ({"b": "한", "a": None}, '={"a":null,"b":"한"}'),
    ],
)
def test_a_default_is_one_whatever_it_is(default: Any, text: str) -> None:
    """Without a register, a value is one that the person must give."""
    values = (GateValue("first", "string", required=True), GateValue("second", "object", False, default))
    found = operations(step(gate=Gate(60, values=values)), Values())
    assert found[1:] == [("V", "", "first"), ("V", text, "second")]


def test_the_ways_and_servers_of_a_gate_are_said() -> None:
    of = step(
        gate=Gate(5, "resume", "advance", "route", ways="csl"), jupyter=Jupyter(8888, "/w"), ssh=Ssh(2222, "/k/a")
    )
    assert operations(of, Values()) == [
        ("g", "", "t 5 resume advance route csl"),
        ("e", "", "JUPYTER_TOKEN_FILE=/kade/run/token"),
        ("e", "", "JUPYTER_RUNTIME_DIR=/kade/run/jupyter"),
        ("e", "", "JUPYTER_PORT=8889"),
        ("J", "", "server"),
        ("S", "/k/a", "2223"),
    ]
