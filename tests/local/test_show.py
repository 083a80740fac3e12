from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import warm
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parent))
from sample import START, sample_run, sample_state

from kade2kfp.cli.show_command import command
from kade2kfp.local.folder import hold
from kade2kfp.local.state import Attempt, Failure

PROCESS = [sys.executable, "-c", "from kade2kfp.cli.show_command import command; command()"]


def show(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["last", *arguments, "--home", str(home)], catch_exceptions=False)


def rows(home: Path, *arguments: str) -> list[str]:
    result = show(home, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def changed(step: str, **changes: object) -> dict[str, object]:
    """The sample's steps, one of them changed."""
    state = sample_state()
    return {"steps": state.with_step(replace(state.step(step), **changes)).steps}


def test_a_run_in_a_pipe_is_aligned_and_without_colour(tmp_path):
    folder = sample_run(tmp_path)
    done = warm.run([*PROCESS, "last", "--home", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    head, table, failure = done.stdout.split("\n\n")
    assert f"run         {folder.name}\n" in head
    assert "state       ✗ failed\n" in head
    assert "took        5.0s\n" in head
    assert "parameters  lr=0.1\n" in head
    assert table.splitlines() == [
        "STATE        TASK    TOOK  ATTEMPTS  OUT",
        "✓ succeeded  make    1.5s         1  rows=3, accuracy=0.75",
        "✗ failed     train   3.0s         1",
        "- skipped    report     -         0  train failed",
    ]
    assert failure.splitlines() == [
        "train: K710 the command exited with code 3",
        "  help: its last lines are below",
        "  | epoch 1",
        "  | no rows",
    ]


def on_terminal(home: Path, **more: str) -> str:
    master, slave = pty.openpty()
    env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", "COLUMNS": "50", **more}
    process = warm.Popen([*PROCESS, "last", "--home", str(home)], stdout=slave, stderr=slave, env=env)
    os.close(slave)
    text = b""
    try:
        while data := os.read(master, 65536):
            text += data
    except OSError:  # Linux' way to say that the other side is closed
        pass
    os.close(master)
    assert process.wait(20) == 0
    return text.decode()


def test_a_terminal_gets_colour_and_rows_that_fit(tmp_path):
    sample_run(tmp_path, **changed("make-data", outputs={f"value{n}": n for n in range(30)}))
    text = on_terminal(tmp_path)
    assert "\x1b[32m✓ succeeded\x1b[0m  make" in text
    (row,) = [line for line in text.splitlines() if "succeeded" in line]
    assert len(re.sub(r"\x1b\[\d+m", "", row)) == 50
    assert row.endswith("…")


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_is_honoured(tmp_path, more):
    sample_run(tmp_path)
    assert "\x1b" not in on_terminal(tmp_path, **more)


def test_texts_of_the_document_are_harmless(tmp_path):
    nasty = "a\n✓ succeeded\x1b[2J\u202e[bold]b[/]"
    changes = changed(
        "train",
        task=nasty,
        note=nasty,
        outputs={nasty: nasty},
        failure=Failure("K710", nasty, nasty, (nasty, "\x1b]0;title\x07")),
    )
    sample_run(tmp_path, pipeline=nasty, document=nasty, parameters={nasty: nasty}, **changes)
    for arguments in ((), (nasty,)):
        result = show(tmp_path, *arguments)
        assert "\x1b" not in result.output
        assert "\u202e" not in result.output
        assert "[bold]b[/]" in result.output
    assert sum(row.startswith("✓ succeeded") for row in rows(tmp_path)) == 1


def test_long_values_are_cut_in_the_table_and_whole_in_the_task(tmp_path):
    long, many = "x" * 5000, {"deep": list(range(1000))}
    sample_run(tmp_path, parameters={"p": long}, **changed("make-data", outputs={"text": long, "many": many}))
    assert max(map(len, rows(tmp_path))) < 200
    text = "\n".join(rows(tmp_path, "make"))
    assert f"text = {long}" in text
    assert f"many = {json.dumps(many)}" in text


def test_a_task_is_told_in_full(tmp_path):
    attempts = (
        Attempt(1, "logs/train/1.log", START, START + 1, 137),
        Attempt(2, "logs/train/2.log", START + 2, START + 3, 3),
    )
    folder = sample_run(tmp_path, **changed("train", attempts=attempts, outputs={"report": "one\ntwo"}, note="a note"))
    train = rows(tmp_path, "train")
    assert f"attempts    1: exit code 137, 1.0s, {folder}/logs/train/1.log" in train
    assert f"            2: exit code 3, 1.0s, {folder}/logs/train/2.log" in train
    assert "after       make" in train, "tasks are called as in the document, not by their step"
    assert "note        a note" in train
    assert train[train.index("outputs     report =") :][:3] == [
        "outputs     report =",
        "              one",
        "              two",
    ]
    assert "  | no rows" in train
    make = rows(tmp_path, "Make data")
    assert "task        make" in make
    assert "metrics     accuracy = 0.75" in make
    assert "artifacts   out: /out (Dataset, 1 file, 2 B)" in make
    assert f"              {folder}/artifacts/make-data/out" in make


def test_a_metric_that_others_refer_to_is_told_once(tmp_path):
    sample_run(tmp_path, **changed("make-data", outputs={"metric-accuracy": 0.75, "metric-other": 1}))
    assert any(row.endswith("  metric-other=1, accuracy=0.75") for row in rows(tmp_path))


def test_a_run_whose_runner_is_gone_is_interrupted(tmp_path):
    steps = changed(
        "train", status="running", ended=None, failure=None, attempts=(Attempt(1, "logs/train/1.log", START),)
    )
    folder = sample_run(tmp_path, status="running", ended=None, **steps)
    text = rows(tmp_path)
    assert "state       ! interrupted" in text
    assert "took        -" in text, "nobody knows when it ended"
    assert any(re.match(r"! interrupted  train +- ", row) for row in text)
    assert f"kade2kfp rerun {folder.name}" in text[-1]
    assert json.loads(show(tmp_path, "--output", "json").stdout)["status"] == "interrupted"
    assert "attempts    1: no exit code, -, " + f"{folder}/logs/train/1.log" in rows(tmp_path, "train")


def test_a_run_that_goes_on_is_running(tmp_path):
    steps = changed("train", status="running", ended=None, failure=None)
    with hold(sample_run(tmp_path, status="running", ended=None, **steps)):
        text = rows(tmp_path)
    assert "state       ▸ running" in text
    assert any(re.match(r"▸ running    train +\d+d\d\dh ", row) for row in text), "its time is counted until now"
    assert "rerun" not in "".join(text)


def test_json_is_the_stored_state(tmp_path):
    folder = sample_run(tmp_path)
    stored = json.loads((folder / "state.json").read_text())
    assert json.loads(show(tmp_path, "--output", "json").stdout) == stored
    one = json.loads(show(tmp_path, "make", "--output", "json").stdout)
    assert one == {**stored, "steps": stored["steps"][:1]}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


def test_html_writes_one_page_with_the_logs(tmp_path):
    folder = sample_run(tmp_path)
    (folder / "logs/make-data/1.log").write_bytes(b"<script>made & \xff\n")
    target = tmp_path / "run.html"
    result = show(tmp_path, "--html", str(target))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{folder.name} -> {target}\n"
    text = target.read_text(encoding="utf-8")
    assert "&lt;script&gt;made &amp; �" in text
    parser = Tags()
    parser.feed(text)
    assert "svg" in parser.seen
    assert "script" not in parser.seen
    assert show(tmp_path, "--html", "-").stdout == text


def test_html_without_logs_is_still_a_page(tmp_path):
    folder = sample_run(tmp_path)
    (folder / "logs/train/1.log").unlink()
    assert "</html>" in show(tmp_path, "--html", "-").stdout


@pytest.mark.parametrize("more", [["train"], ["--output", "json"]])
def test_html_is_of_the_whole_run(tmp_path, more):
    sample_run(tmp_path)
    result = show(tmp_path, "--html", "-", *more)
    assert result.exit_code == 2
    assert "--html shows the whole run" in result.stderr


def test_html_that_cannot_be_written_is_one_line(tmp_path):
    sample_run(tmp_path)
    result = show(tmp_path, "--html", str(tmp_path / "no/run.html"))
    assert result.exit_code == 1
    assert result.stderr == f"Error: cannot write {tmp_path}/no/run.html: no such file or directory\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "EOF"), (b"{", "EOF"), (b"[]", "dict"), (b'{"id": 1}', "id: "), (b"\xff\xfe", "JSON")],
)
@pytest.mark.parametrize("arguments", [(), ("make",), ("--output", "json"), ("--html", "-")])
def test_a_state_that_cannot_be_read_is_one_line(tmp_path, content, said, arguments):
    folder = sample_run(tmp_path)
    (folder / "state.json").write_bytes(content)
    result = show(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: cannot read {folder}/state.json: ")
    assert result.stderr.count("\n") == 1


def test_what_is_not_there_is_said(tmp_path):
    assert "there are no runs below" in show(tmp_path).stderr
    sample_run(tmp_path)
    result = show(tmp_path, "mkae")
    assert result.exit_code == 1
    assert "did you mean `make`?" in result.stderr


def test_a_run_without_steps_or_parameters(tmp_path):
    sample_run(tmp_path, steps=(), parameters={})
    assert rows(tmp_path)[-1] == "STATE  TASK  TOOK  ATTEMPTS  OUT"


def test_a_reader_that_goes_is_no_error(tmp_path):
    sample_run(tmp_path, **changed("make-data", outputs={f"v{n}": "x" * 40 for n in range(5000)}))
    reader, writer = os.pipe()
    os.close(reader)
    done = warm.run([*PROCESS, "last", "--home", str(tmp_path)], stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
