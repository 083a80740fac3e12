"""`kade2kfp graph`: formats by name, exit codes, and documents with errors."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import warm

from .documents import arrow, document, hostile
from .test_dot import statements
from .test_mermaid import read

TWO = document({"id": "a", "name": "Make"}, {"id": "b"}, arrows=[arrow("a", "b", "/out", "/in")])


def graph(*words: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "kade2kfp", "graph", *words]
    ran = warm.run(command, cwd=cwd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert b"Traceback" not in ran.stderr
    assert b"\x1b" not in ran.stderr + ran.stdout
    return ran


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "p.json").write_text(json.dumps(TWO), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        (["-o", "g.svg"], "<svg "),
        (["-o", "g.SVG", "--theme", "dark"], "<svg "),
        (["-o", "g.mmd"], "flowchart LR\n"),
        (["-o", "g.mermaid"], "flowchart LR\n"),
        (["-o", "g.dot"], "digraph {\n"),
        (["-o", "g.gv"], "digraph {\n"),
        (["-o", "g.txt", "--format", "dot"], "digraph {\n"),
        (["-o", "g.svg", "--format", "mermaid"], "flowchart LR\n"),
    ],
)
def test_the_name_says_the_format(here: Path, words: list[str], begin: str) -> None:
    ran = graph("p.json", *words, cwd=here)
    assert (ran.returncode, ran.stdout) == (0, b"")
    assert ran.stderr.decode() == f"p.json -> {words[1]} (2 tasks)\n"
    assert (here / words[1]).read_text(encoding="utf-8").startswith(begin)


@pytest.mark.parametrize("words", [[], ["-o", "-"]])
def test_without_a_file_it_is_mermaid_on_standard_output(here: Path, words: list[str]) -> None:
    ran = graph("p.json", *words, cwd=here)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert read(ran.stdout.decode())[1] == [("0", "1", "/out → /in")]


def test_standard_input(here: Path) -> None:
    ran = graph("-", "--format", "svg", cwd=here, stdin=json.dumps(TWO).encode())
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ElementTree.fromstring(ran.stdout).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["p.json", "-o", "g.png"], "What is 'g.png' to be? Name it .svg, .mmd or .dot, or say --format."),
        (["p.json", "-o", "g"], "Name it .svg"),
        (["p.json", "-o", "p.json", "--format", "svg"], "'p.json' is the document itself: name another file with -o."),
        (["p.json", "--theme", "dark"], "--theme is for SVG, and this is mermaid: write it with -o NAME.svg"),
        (["p.json", "--format", "png"], "'png' is not one of 'svg', 'mermaid', 'dot'"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_says_what_to_type(here: Path, words: list[str], said: str) -> None:
    ran = graph(*words, cwd=here)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert said in " ".join(ran.stderr.decode().split())
    assert json.loads((here / "p.json").read_text(encoding="utf-8")) == TWO


def test_a_document_with_errors_is_drawn_as_far_as_it_can_be_read(here: Path) -> None:
    wrong = TWO | {"tasks": [*TWO["tasks"], {"id": "c", "type": "jbo"}], "arrows": [*TWO["arrows"], arrow("a", "d")]}
    (here / "p.json").write_text(json.dumps(wrong), encoding="utf-8")
    ran = graph("p.json", cwd=here)
    assert ran.returncode == 1
    assert ran.stderr.decode() == "2 errors: `kade2kfp validate p.json` tells them; what could be read is drawn\n"
    assert len(read(ran.stdout.decode())[0]) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"tasks": []}', '{"tasks": [{"id": "a", "type": "jbo"}]}'])
def test_without_a_task_nothing_is_drawn(here: Path, text: str) -> None:
    (here / "p.json").write_text(text, encoding="utf-8")
    ran = graph("p.json", "-o", "g.svg", cwd=here)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b": error[K" in ran.stderr
    assert not (here / "g.svg").exists()


def test_a_file_that_is_not_there(here: Path) -> None:
    ran = graph("other.json", "-o", "g.svg", cwd=here)
    assert ran.returncode == 1
    assert not (here / "g.svg").exists()


def test_where_it_cannot_be_written(here: Path) -> None:
    ran = graph("p.json", "-o", "nowhere/g.svg", cwd=here)
    assert ran.returncode == 1
    assert b"cannot write nowhere/g.svg: no such file or directory" in ran.stderr


@pytest.mark.parametrize("format_", ["svg", "mermaid", "dot"])
def test_hostile_documents_harm_no_terminal(here: Path, format_: str) -> None:
    (here / "p.json").write_text(json.dumps(hostile()), encoding="utf-8")
    ran = graph("p.json", "--format", format_, cwd=here)
    assert ran.returncode == 1
    text = ran.stdout.decode()
    {"svg": ElementTree.fromstring, "mermaid": read, "dot": statements}[format_](text)


@pytest.mark.parametrize("format_", ["svg", "mermaid", "dot"])
def test_it_imports_nothing_that_takes_its_time(here: Path, format_: str) -> None:
    slow = ("kfp", "kubernetes", "google", "yaml", "requests", "minio", "rich", "bentoml")
    code = (
        "import sys; from kade2kfp.cli import main\n"
        f"try: main(['graph', 'p.json', '--format', {format_!r}])\n"
        f"finally: sys.stderr.write(repr([one for one in {slow!r} if one in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"[]")


def test_values_are_checked_as_elsewhere(here: Path) -> None:
    parameters = [{"name": "grid", "type": "array", "default": [1]}]
    wanted = document({"id": "a", "forEach": {"items": "{{params.grid}}"}}, parameters=parameters)
    (here / "p.json").write_text(json.dumps(wanted), encoding="utf-8")
    assert graph("p.json", "--set", "grid=[1, 2]", cwd=here).returncode == 0
    assert graph("p.json", "--set", "grid=[", cwd=here).returncode == 2
