"""Output parameters and metrics: what the command wrote becomes what KFP reads, or an error that says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .step_script import AWKS, Box, Done, each_shell, each_user, environment, program, start, step

each_awk = pytest.mark.parametrize("awk", AWKS)


def parameter(shell: str, folder: Path, type_: str, content: bytes) -> tuple[Done, bytes | None]:
    """Runs a command that leaves `content`; what is done, and what KFP would read, None where there is nothing."""
    (folder / "content").write_bytes(content)
    file = folder / "kfp" / "value"
    words = ("+", f"{type_}\nthe-name\n{file}", "r", f"{folder}/out/v")
    done = step(shell, *words, "--", "cp", f"{folder}/content", f"{folder}/out/v")
    return done, file.read_bytes() if file.exists() else None


@each_shell
@pytest.mark.parametrize(
    ("type_", "content", "value"),
    [
        ("string", b"text", b"text"),
        ("string", b"", b""),
        ("string", b"\n\n", b""),
        ("string", b" a\n\nb \t\n\n", b" a\n\nb \t"),
        ("string", "한 \\n %s $ (x) $x$ `id` { {x}} \x1b".encode(), "한 \\n %s $ (x) $x$ `id` { {x}} \x1b".encode()),
        ("string", b"${HOME} $", b"${HOME} $"),
        ("object", b'{"a":{"b":{}}}', b'{"a":{"b":{}}}'),
        ("string", b"-n", b"-n"),
        ("string", b"\xff\xfe", b"\xff\xfe"),
        ("integer", b"42\n", b"42"),
        ("integer", b"-7", b"-7"),
        ("integer", b"+007", b"+007"),
        ("integer", b"  1234 \n", b"1234"),
        ("integer", b"9007199254740992", b"9007199254740992"),
        ("number", b"0.25\n", b"0.25"),
        ("number", b"\t-1.5e-300 ", b"-1.5e-300"),
        ("number", b".5", b".5"),
        ("number", b"5.", b"5."),
        ("number", b"+1E+2", b"+1E+2"),
        ("number", b"1.7976931348623157e+308", b"1.7976931348623157e+308"),
        ("number", b"1e-999", b"1e-999"),
        ("number", b"3", b"3"),
        ("boolean", b"true\n", b"true"),
        ("boolean", b"True", b"true"),
        ("boolean", b"FALSE ", b"false"),
        ("array", b"[]", b"[]"),
        ("array", b'\n [1, "a",\n 2]\n', b'[1, "a",\n 2]'),
        ("object", b'{"a": 1}\n', b'{"a": 1}'),
    ],
)
def test_a_value_of_its_type(shell: str, type_: str, content: bytes, value: bytes, tmp_path: Path) -> None:
    done, found = parameter(shell, tmp_path, type_, content)
    assert (done.code, done.err) == (0, "")
    assert found == value


@each_shell
@pytest.mark.parametrize(
    ("type_", "content"),
    [
        *(("integer", text) for text in ["", "\n", "-", "+", "1.0", "1e3", "0x10", "1 2", "1\n2", "one", "--1", "²"]),
        *(("integer", text) for text in ["9007199254740993", "-9007199254740993", "9" * 30, "NaN", "1;id", "*"]),
        *(
            ("number", text)
            for text in ["", ".", "-", "e5", "1e", "1e+", "1.2.3", "1e5.5", "nan", "NaN", "inf", "-Infinity"]
        ),
        *(("number", text) for text in ["1e309", "1e99999999999999999999", "0x1p3", "1,5", "1_000", "1 2", "five"]),
        *(("boolean", text) for text in ["", "1", "0", "yes", "tRUE", "true false"]),
        *(("array", text) for text in ["", "{}", "null", "1", "('a',)", '"[1]"']),
        *(("object", text) for text in ["", "[]", "null", "dict(a=1)"]),
    ],
)
def test_a_value_of_another_type(shell: str, type_: str, content: str, tmp_path: Path) -> None:
    done, found = parameter(shell, tmp_path, type_, content.encode())
    shown = content.strip().replace("\n", "?")
    assert (done.code, found) == (65, None)
    assert done.err == f"kade2kfp: output the-name: not of type {type_}: {shown}\n"


@each_shell
def test_of_a_wrong_value_the_beginning_is_shown(shell: str, tmp_path: Path) -> None:
    done, _ = parameter(shell, tmp_path, "integer", b"\x1b]0;title\x07" + b"y" * 500 + b"\nend")
    assert done.own == ["output the-name: not of type integer: ?]0;title?" + "y" * 70]
    done, _ = parameter(shell, tmp_path, "integer", ("한" * 200).encode())
    assert done.own[0].startswith("output the-name: not of type integer: 한한한")
    assert len(done.own[0]) < 130


@each_shell
@pytest.mark.parametrize(
    ("type_", "content"),
    [
        ("string", b"{{$.pipeline_job_uuid}}"),
        ("string", b"a {{{"),
        ("string", b"{{workflow.name}}"),
        ("string", b"costs 5$$"),
        ("string", b"a\n$(HOME)"),
        ("string", b"$("),
        ("object", b'{"a": "{{x}}"}'),
        ("array", b'["$$"]'),
    ],
)
def test_what_would_be_replaced_on_its_way_is_refused(shell: str, type_: str, content: bytes, tmp_path: Path) -> None:
    done, found = parameter(shell, tmp_path, type_, content)
    assert (done.code, found) == (65, None)
    assert done.own == ["output the-name: {{, $$ or $( in it would be replaced on its way"]


@each_shell
def test_a_zero_byte_is_refused(shell: str, tmp_path: Path) -> None:
    done, found = parameter(shell, tmp_path, "integer", b"1\x002")
    assert (done.code, found) == (65, None)
    assert done.err == f"kade2kfp: output the-name: a zero byte in {tmp_path}/out/v\n"


@each_shell
@pytest.mark.parametrize("command", ["true", "mkdir $0", "ln -s $0 $0"])
def test_a_value_that_was_not_written(shell: str, command: str, tmp_path: Path) -> None:
    words = ("+", f"string\nn\n{tmp_path}/kfp", "r", f"{tmp_path}/out")
    done = step(shell, *words, "--", "sh", "-c", command, f"{tmp_path}/out")
    assert (done.code, done.own) == (65, [f"the command left no file {tmp_path}/out"])


@each_shell
@each_user
def test_values_and_metrics_with_odd_paths_in_read_only_surroundings(shell: str, user: int, tmp_path: Path) -> None:
    odd = 'it\'s "a" $HOME\\ 한'
    (tmp_path / "m.json").write_text('{"acc": 0.75, "name": "x"}')
    words = ("+", f"integer\nn\n/box/{odd}/p/n", "r", f"/tmp/{odd}/n")
    words += ("+", f"metrics\nfile:///box/{odd}\n/box/{odd}/m/metrics", "m", f"/tmp/{odd}/m.json")
    words += ("+", f"/box/{odd}/k/acc", "k", "acc")
    script = 'echo 5 >"$0/n"; cp /box/m.json "$0/m.json"'
    done = Box(shell, tmp_path, user)(*words, "--", "sh", "-c", script, f"/tmp/{odd}")
    assert (done.code, done.own) == (0, ["metrics: not a finite number: name"])
    assert (tmp_path / odd / "p" / "n").read_bytes() == b"5"
    assert (tmp_path / odd / "k" / "acc").read_bytes() == b"0.75"
    assert json.loads((tmp_path / odd / "m" / "metrics").read_bytes()) == {"acc": 0.75}
    assert json.loads((tmp_path / odd / "m" / "output_metadata.json").read_bytes()) == {
        "artifacts": {"metrics": {"artifacts": [{"name": "", "uri": f"file:///box/{odd}", "metadata": {"acc": 0.75}}]}}
    }


def metrics(shell: str, folder: Path, content: bytes, *keys: str, awk: str = "mawk") -> Done:
    """Runs a command that leaves `content` as metrics, which go to `kfp/metrics`, and the keys to `k0`, `k1`, ..."""
    bin_ = folder / "bin"
    bin_.mkdir()
    (bin_ / "awk").symlink_to(program(awk))
    (folder / "content").write_bytes(content)
    words = ["+", f"metrics\ns3://b/m\n{folder}/kfp/metrics", "m", f"{folder}/m.json"]
    for n, key in enumerate(keys):
        words += ["+", f"{folder}/k{n}", "k", key]
    env = {"PATH": f"{bin_}:{environment(shell)['PATH']}"}
    return step(shell, *words, "--", "cp", f"{folder}/content", f"{folder}/m.json", env=env)


@each_shell
@each_awk
def test_metrics_and_the_keys_that_others_need(shell: str, awk: str, tmp_path: Path) -> None:
    content = {"acc": 0.1, "loss": 1e-7, "n": 12345678901234567890, "중": -0.0, 'q"\\/\n': 3, "😀": 1e300}
    keys = ("n", "중", 'q"\\/\n'[:-1], "acc")
    text = json.dumps(content | {keys[2]: 2.5}, indent=2).encode()
    done = metrics(shell, tmp_path, text, *keys, awk=awk)
    assert (done.code, done.err) == (0, "")
    assert json.loads((tmp_path / "kfp" / "metrics").read_bytes()) == content | {keys[2]: 2.5}
    assert [(tmp_path / f"k{n}").read_text() for n in range(4)] == ["12345678901234567890", "-0.0", "2.5", "0.1"]


@each_shell
def test_numbers_keep_their_text(shell: str, tmp_path: Path) -> None:
    text = b'{"a":0.10,"b":1E+2,"c":-0,"d":0.1000000000000000055511151231257827,"e":123456789012345678901234567890}'
    metrics(shell, tmp_path, text)
    assert (tmp_path / "kfp" / "metrics").read_bytes() == text


@each_shell
def test_what_is_no_finite_number_is_left_out_with_a_line_each(shell: str, tmp_path: Path) -> None:
    text = r'{"a":1,"s":"x","t":true,"n":null,"l":[1],"o":{"a":2},"N":NaN,"I":-Infinity,"big":1e999,"x\u001b\u007f":"","\ud800":1}'
    done = metrics(shell, tmp_path, text.encode())
    assert done.code == 0
    assert (tmp_path / "kfp" / "metrics").read_text() == '{"a":1}'
    names = ["s", "t", "n", "l", "o", "N", "I", "big", r"x\u001b?", r"\ud800"]
    assert done.own == [f"metrics: not a finite number: {name}" for name in names]
    assert len(done.err.splitlines()) == len(names)


@each_shell
@pytest.mark.parametrize("text", ["{}", ' {"a": "b"} '])
def test_no_numbers_at_all_are_no_error(shell: str, text: str, tmp_path: Path) -> None:
    assert metrics(shell, tmp_path, text.encode()).code == 0
    assert (tmp_path / "kfp" / "metrics").read_text() == "{}"


@each_shell
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{'acc': 1}",
        b"[1]",
        b"1",
        b'"a"',
        b"null",
        b'{"a":1',
        b'{"a":1}\n{"a":2}',
        b'{"a":1}\0',
        b'{"\xe9":1}',
    ],
)
def test_what_is_no_json_object_is_shown(shell: str, content: bytes, tmp_path: Path) -> None:
    done = metrics(shell, tmp_path, content, "acc")
    assert done.code == 65
    (message,) = done.own
    assert message.startswith(f"metrics: {tmp_path}/m.json is no JSON object: ")
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "kfp" / "metrics").exists()


@each_shell
def test_metrics_that_were_not_written(shell: str, tmp_path: Path) -> None:
    words = ("+", f"metrics\ns3://b/m\n{tmp_path}/kfp", "m", f"{tmp_path}/m.json", "+", f"{tmp_path}/k", "k", "a")
    done = step(shell, *words, "--", "true")
    assert (done.code, done.own) == (65, [f"the command left no file {tmp_path}/m.json"])


@each_shell
@pytest.mark.parametrize("key", ["loss", "", "a", "cc", "acc\n", '","acc'])
def test_a_key_that_is_missing_is_named_with_those_there_are(shell: str, key: str, tmp_path: Path) -> None:
    done = metrics(shell, tmp_path, b'{"acc":1,"f1":2,"a":"not finite"}', "acc", key)
    assert done.code == 65
    shown = key.replace("\n", "?")
    assert done.own[-1] == f"metrics: {shown} is not among the finite numbers: acc, f1"
    assert (tmp_path / "k0").read_text() == "1"
    assert not (tmp_path / "k1").exists()


@each_shell
def test_all_that_is_wrong_is_said_at_once(shell: str, tmp_path: Path) -> None:
    words = ("+", f"integer\na\n{tmp_path}/a", "r", f"{tmp_path}/o/a", "d", f"{tmp_path}/d", "+", "m\nu\n/tmp/m")
    words += ("m", f"{tmp_path}/m")
    done = step(shell, *words, "--", "sh", "-c", "echo x >$0/o/a; echo [] >$0/m", str(tmp_path))
    assert (done.code, len(done.own)) == (65, 3)


@each_awk
def test_a_megabyte_of_metrics_takes_no_minute(awk: str, tmp_path: Path) -> None:
    history = [{"loss": n * 0.1, "name": 'a "quoted" name'} for n in range(3000)]
    text = json.dumps({"history": history, "text": "x" * 500_000, "list": [0.123] * 50_000, "acc": 1}, indent=1)
    done = metrics("dash", tmp_path, text.encode(), awk=awk)
    assert done.code == 0
    assert (tmp_path / "kfp" / "metrics").read_text() == '{"acc":1}'


@each_shell
def test_reading_awks_variables_from_the_environment_is_the_scripts_own(shell: str, tmp_path: Path) -> None:
    env = {**os.environ, **environment(shell), "_K": "x", "_M": "y", "LC_ALL": "C.UTF-8", "POSIXLY_CORRECT": "1"}
    words = ("+", f"metrics\nu\n{tmp_path}/kfp", "m", f"{tmp_path}/m")
    command = ("sh", "-c", 'echo "{\\"a\\": 1}" >$0; echo $_K $_M $LC_ALL', f"{tmp_path}/m")
    done = subprocess.run(start(shell, *words, "--", *command), env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x y C.UTF-8\n", "")
