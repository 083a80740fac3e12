"""What the user wrote reaches the command byte for byte: arguments, environment, embedded files, stdin."""

from __future__ import annotations

import base64
import os
import random
import subprocess
from pathlib import Path

import pytest

from .step_script import Box, each_shell, each_user, start, step

HOSTILE = [
    "",
    " ",
    "'",
    '"',
    'it\'s "so"',
    "\\",
    "\\n\\",
    "a\nb",
    "\n\n",
    "ends in line ends\n\n",
    "\ttab\r",
    "$(HOME)",
    "$(touch /tmp/x)",
    "`id`",
    "$HOME ${PATH} $1 $#",
    "$$ $$$",
    "{{workflow.name}}",
    "{{$.inputs.parameters['x']}}",
    "*",
    "?[a-z]*",
    "~",
    "a b  c",
    ";|&<>",
    "-n",
    "--",
    "-e",
    "+",
    "!",
    "=",
    "%s%n\\0101",
    "한국어 é 😀",
    "\x01\x1b[31m\x7f",
    "\udcff\udc80 not UTF-8",
]
SHOW = 'for a do printf "%s\\0" "$a"; done'


def cut(text: str) -> list[str]:
    """The operands of `+` that a text becomes when it is cut wherever something could be replaced, and more often."""
    return [word for n in range(0, len(text), 1000) for word in ("+", text[n : n + 1000])]


@each_shell
def test_arguments_after_the_mark_arrive_byte_for_byte(shell: str) -> None:
    done = step(shell, "--", "sh", "-c", SHOW, "sh", *HOSTILE)
    assert (done.code, done.err) == (0, "")
    assert done.out == b"".join(os.fsencode(text) + b"\0" for text in HOSTILE)


@each_shell
def test_arguments_that_were_cut_arrive_byte_for_byte_and_before_the_others(shell: str) -> None:
    words = ["a", "sh", "a", "-c", "a", SHOW, "a", "sh"]
    for text in HOSTILE:
        for letter in text:
            words += ["+", letter]
        words += ["a", ""]
    done = step(shell, *words, "--", "last", "--", "a")
    assert (done.code, done.err) == (0, "")
    assert done.out == b"".join(os.fsencode(text) + b"\0" for text in [*HOSTILE, "last", "--", "a"])


@each_shell
def test_the_whole_command_may_come_in_pieces(shell: str) -> None:
    assert step(shell, "a", "echo", "+", "{", "a", "{x}}", "--").out == b"{{x}}\n"


@each_shell
def test_an_argument_of_a_hundred_kilobytes(shell: str) -> None:
    long = ("$(HOME) {{x}} '\"\\ 한\n" * 5000)[:100_000]
    done = step(shell, "a", "printf", "a", "%s", *cut(long), "a", "\n", "--")
    assert done.out.decode() == long + "\n"
    assert step(shell, "e", "A=b", "--", "printf", "%s", long).out.decode() == long


@each_shell
def test_five_hundred_arguments_in_their_order(shell: str) -> None:
    words = [word for n in range(500) for word in ("a", f"{n} $")]
    done = step(shell, "a", "printf", "a", "%s\\n", *words, "--")
    assert done.out.decode().splitlines() == [f"{n} $" for n in range(500)]


@each_shell
def test_variables_arrive_byte_for_byte(shell: str) -> None:
    words = [word for n, text in enumerate(HOSTILE) for word in ("+", f"V{n}=", "e", text)]
    done = step(shell, *words, "--", "cat", "/proc/self/environ")
    assert (done.code, done.err) == (0, "")
    found = done.out.split(b"\0")
    assert not [n for n, text in enumerate(HOSTILE) if found.count(f"V{n}=".encode() + os.fsencode(text)) != 1]


@each_shell
@pytest.mark.parametrize(
    "name",
    ["UID", "PPID", "RANDOM", "SHELLOPTS", "IFS", "OPTIND", "LC_ALL", "HOME", "my.name", "a-b", "_c", "_x", "_1"],
)
def test_no_name_is_too_odd_for_a_variable(shell: str, name: str) -> None:
    done = step(shell, "e", f"{name}=odd value\n", "--", "cat", "/proc/self/environ")
    assert (done.code, done.err) == (0, "")
    assert f"{name}=odd value\n".encode() in done.out.split(b"\0")


@each_shell
def test_the_containers_own_variables_arrive_as_they_are(shell: str) -> None:
    own = {"cur": "1", "n": "2", "x": "a\n\n", "CDPATH": "/", "ENV": "/nonexistent", "BASH_ENV": "/nonexistent"}
    done = step(shell, "e", "A=b", "w", "/tmp", "t", "0 0 1 0", "--", "cat", "/proc/self/environ", env=own)
    found = done.out.decode().split("\0")
    assert not [name for name, value in own.items() if f"{name}={value}" not in found]
    assert not [line for line in found if line.startswith("_") and not line.startswith("_=")]


@each_shell
def test_the_commands_path_is_its_own(shell: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "mine").chmod(0o755)
    assert step(shell, "e", f"PATH={tmp_path}", "--", "mine").out == b"mine\n"


@each_shell
@pytest.mark.parametrize("name", ["a=b", "say", "die", "echo", "exec", "make"])
def test_a_command_of_any_name_is_a_program(shell: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('#!/bin/sh\nprintf "mine %s" "$*"\n')
    (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    for words in (["e", "A=b"], ["n", "/tmp"]):
        done = step(shell, *words, "--", name, "c d", "$x", env={"PATH": path})
        assert (done.code, done.out, done.err) == (0, b"mine c d $x", "")


@each_shell
def test_the_command_reads_the_steps_stdin(shell: str) -> None:
    assert step(shell, "e", "A=b", "--", "cat", stdin=b"\0in\xff").out == b"\0in\xff"


@each_shell
def test_the_command_gets_no_file_that_the_script_opened(shell: str) -> None:
    done = step(shell, "e", "A=b", "t", "1 0 1 0", "--", "sh", "-c", "ls /proc/self/fd")
    assert {int(name) for name in done.out.split()} - {3} == {0, 1, 2}, "3 is the folder that ls reads"
    assert step(shell, "e", "A=b", "--", "sh", "-c", "echo x >&3").code != 0


@each_shell
@each_user
@pytest.mark.parametrize("content", [b"", b"\n", b"no end", b"#!/bin/sh\necho hi\n", bytes(range(256)) * 4])
def test_a_file_is_what_it_was(shell: str, user: int, content: bytes, tmp_path: Path) -> None:
    path = '/box/it\'s a/"new" folder/-x;$y.bin'
    done = Box(shell, tmp_path, user)("+", base64.b64encode(content).decode(), "f", path, "--", "cat", path)
    assert (done.code, done.out, done.err) == (0, content, "")
    written = tmp_path / path.removeprefix("/box/")
    assert written.stat().st_mode & 0o777 == 0o755


@each_shell
def test_a_file_of_64_kib(shell: str, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(65536)
    path = str(tmp_path / "f")
    assert step(shell, "+", base64.b64encode(content).decode(), "f", path, "--", "cat", path).out == content


@each_shell
def test_a_file_is_a_program_that_can_be_the_command(shell: str, tmp_path: Path) -> None:
    text = base64.b64encode(b"#!/bin/sh\necho $1\n").decode()
    assert step(shell, "+", text, "f", f"{tmp_path}/run", "--", f"{tmp_path}/run", "a b").out == b"a b\n"


@each_shell
def test_the_front_of_a_path_can_be_cut(shell: str, tmp_path: Path) -> None:
    words = ["+", "eA==", "v", f"{tmp_path}/{{", "v", "{a}}$", "f", "(b)"]
    step(shell, *words, "v", f"{tmp_path}/$", "n", "$", "--", "true")
    assert (tmp_path / "{{a}}$(b)").read_text() == "x"
    assert (tmp_path / "$$").is_dir()


@each_shell
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no command was given"),
        (("--",), "no command was given"),
        (("n", "/tmp"), "no command was given"),
        (("n",), "no command was given"),
        (("n", "/tmp", "--"), "no command was given"),
    ],
)
def test_a_step_without_a_command_fails(shell: str, words: tuple[str, ...], message: str) -> None:
    done = step(shell, *words)
    assert (done.code, done.own, done.out) == (64, [message], b"")


@each_shell
def test_an_operation_that_was_not_embedded_is_named(shell: str) -> None:
    called = ["f" if word == "e" else word for word in start(shell, "e", "A=b", "--", "true")]
    done = subprocess.run(called, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (64, "kade2kfp: unknown operation f\n")


ENDED = '{"error":{},"pipelineJobResourceName":"run-x","pipelineTaskName":"exit-handler-1","state":"%s"}'


@each_shell
@pytest.mark.parametrize(
    ("status", "word"),
    [
        (ENDED % "COMPLETE", "succeeded"),
        (ENDED % "FAILED", "failed"),
        (ENDED % "RUNNING", "unknown"),
        ("{}", "unknown"),
        ("cancelled", "cancelled"),
    ],
)
def test_how_the_run_has_ended_is_a_word(shell: str, status: str, word: str) -> None:
    done = step(shell, "+", "E=", "s", status, "e", "!", "a", "sh", "a", "-c", "a", 'printf "%s\\n" "$E" "$@"', "a", "sh",
                "s", status, "a", "", "+", "<", "s", status, "s", status, "a", ">", "--")  # fmt: skip
    assert done.out.decode().split() == [f"{word}!", word, f"<{word}{word}>"]
