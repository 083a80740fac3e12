"""`compile`: what is written where, and what is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import warm
import yaml

from .command import HELLO, KADE2KFP, WARNED, WRONG, environment, kade2kfp, no_bug, write


def left(folder: Path) -> set[str]:
    """The names of all files in a folder, hidden ones too."""
    return set(os.listdir(folder))


def test_beside_the_document(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("compile", "pipeline.json", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, b"")
    assert ran.stderr == b"pipeline.json -> pipeline.yaml (1 step)\n"
    assert left(tmp_path) == {"pipeline.json", "pipeline.yaml"}
    compiled = list(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_bytes()))
    assert compiled[0]["pipelineInfo"]["name"] == "hello"
    # The same bytes to a file, to standard output, and from standard input; and --check agrees.
    before = (tmp_path / "pipeline.yaml").read_bytes()
    ran = kade2kfp("compile", "-", cwd=tmp_path, stdin=(tmp_path / "pipeline.json").read_bytes())
    assert (ran.returncode, ran.stdout) == (0, before)
    ran = kade2kfp("compile", "pipeline.json", "--check", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_many_documents_into_a_folder_where_one_is_wrong(tmp_path: Path) -> None:
    for name, document in (("a b.json", HELLO), ("c.json", WRONG), ("d\n.json", HELLO), ("한글.json", HELLO)):
        write(tmp_path, document, name)
    (tmp_path / "out").mkdir()
    ran = kade2kfp("compile", "a b.json", "c.json", "d\n.json", "한글.json", "-o", "out", cwd=tmp_path)
    assert ran.returncode == 1
    assert left(tmp_path / "out") == {"a b.yaml", "d\n.yaml", "한글.yaml"}
    assert b"c.json:" in ran.stderr
    assert b"1 error" in ran.stderr
    assert b"d\\x0a.json -> out/d\\x0a.yaml" in ran.stderr
    no_bug(ran)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    names = [b"n\xff.json", b"esc\x1b[31m.json", "rtl\u202etxt.json".encode()]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "w", encoding="utf-8") as file:
            json.dump(HELLO, file)
    ran = kade2kfp("compile", *names, "-o", ".", cwd=tmp_path)
    assert ran.returncode == 0
    no_bug(ran)
    assert "\u202e".encode() not in ran.stderr
    assert len(left(tmp_path)) == 6


def test_check_shows_the_difference(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    assert kade2kfp("compile", "pipeline.json", cwd=tmp_path).returncode == 0
    target = tmp_path / "pipeline.yaml"
    target.write_text(target.read_text().replace("name: hello", "name: hallo\x1b[31m"))
    stale = target.read_bytes()
    ran = kade2kfp("compile", "pipeline.json", "--check", cwd=tmp_path)
    assert ran.returncode == 1
    assert b"-  name: hallo\\x1b[31m\n" in ran.stdout
    assert b"+  name: hello\n" in ran.stdout
    assert b"kade2kfp compile pipeline.json -o pipeline.yaml" in ran.stderr
    assert target.read_bytes() == stale
    no_bug(ran)
    # For a machine: JSON alone on standard output.
    ran = kade2kfp("compile", "pipeline.json", "--check", "--output-format", "json", cwd=tmp_path)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["errors"] == 0


@pytest.mark.parametrize("there", ["nothing", "folder", "pipe", "binary"])
def test_check_without_anything_to_compare_with(tmp_path: Path, there: str) -> None:
    write(tmp_path, HELLO)
    target = tmp_path / "p.yaml"
    if there == "folder":
        (target / "pipeline.yaml").mkdir(parents=True)
    elif there == "pipe":
        os.mkfifo(target)
    elif there == "binary":
        target.write_bytes(b"\xff\xfe")
    ran = kade2kfp("compile", "pipeline.json", "--check", "-o", "p.yaml", cwd=tmp_path)
    assert ran.returncode == 1
    assert b"p.yaml" in ran.stderr
    no_bug(ran)


def test_values_formats_and_warnings(tmp_path: Path) -> None:
    write(tmp_path, WARNED)
    ran = kade2kfp(
        "compile", "pipeline.json", "--format", "pipelineversion", "--set", "who=a=b {x}", "--set", "unused=7", "-o", "-",
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0
    assert b"warning[K242]" in ran.stderr
    kinds = [one["kind"] for one in yaml.safe_load_all(ran.stdout)]
    assert kinds == ["Pipeline", "PipelineVersion"]
    assert b"a=b {x}" in ran.stdout
    ran = kade2kfp("compile", "pipeline.json", "--werror", cwd=tmp_path)
    assert ran.returncode == 1
    assert left(tmp_path) == {"pipeline.json"}


def test_json_goes_to_standard_error_where_the_yaml_takes_standard_output(tmp_path: Path) -> None:
    write(tmp_path, WARNED)
    ran = kade2kfp("compile", "pipeline.json", "-o", "-", "--output-format", "json", cwd=tmp_path)
    assert json.loads(ran.stderr)["warnings"] == 1
    assert next(iter(yaml.safe_load_all(ran.stdout)))["pipelineInfo"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pipeline.json", "-o", "pipeline.json"], "the document itself"),
        (["pipeline.json", "-o", "link.json"], "the document itself"),
        (["doc.yaml"], "the document itself"),
        (["pipeline.json", "doc.yaml", "-o", "x.yaml"], "folder"),
        (["pipeline.json", "doc.yaml", "-o", "-"], "standard output"),
        (["pipeline.json", "sub/pipeline.json", "-o", "sub"], "one file"),
        (["pipeline.json", "-o", "none/"], "no folder"),
        (["-", "--check"], "-o"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_that_would_harm_is_refused_before_anything_is_written(
    tmp_path: Path, words: list[str], says: str
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("pipeline.json", "doc.yaml", "sub/pipeline.json"):
        write(tmp_path, HELLO, name)
    (tmp_path / "link.json").symlink_to("pipeline.json")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ran = kade2kfp("compile", *words, cwd=tmp_path, stdin=json.dumps(HELLO).encode())
    assert ran.returncode == 2
    assert says in ran.stderr.decode()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    no_bug(ran)


@pytest.mark.parametrize(
    "target", ["/dev/full", "none/p.yaml", "folder", "pipeline.json/x", "n" * 300, "/proc/p.yaml", "loop"]
)
def test_where_nothing_can_be_written(tmp_path: Path, target: str) -> None:
    write(tmp_path, HELLO)
    (tmp_path / "folder" / "pipeline.yaml").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    ran = kade2kfp("compile", "pipeline.json", "-o", target, cwd=tmp_path)
    assert ran.returncode == 1
    assert b"cannot write" in ran.stderr
    assert left(tmp_path) == {"pipeline.json", "folder", "loop"}
    assert left(tmp_path / "folder") == {"pipeline.yaml"}
    no_bug(ran)


def test_a_link_is_followed_and_the_mode_stays(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / ("x" * 250 + ".yaml")  # the longest name there is
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "p.yaml").symlink_to(real)
    assert kade2kfp("compile", "pipeline.json", "-o", "p.yaml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "p.yaml").is_symlink()
    assert b"pipelineInfo" in real.read_bytes()
    assert real.stat().st_mode & 0o777 == 0o640
    assert left(tmp_path / "real") == {real.name}


def test_a_document_with_errors_leaves_the_old_file_alone(tmp_path: Path) -> None:
    write(tmp_path, WRONG)
    (tmp_path / "pipeline.yaml").write_text("old")
    assert kade2kfp("compile", "pipeline.json", cwd=tmp_path).returncode == 1
    assert (tmp_path / "pipeline.yaml").read_text() == "old"


@pytest.mark.parametrize(
    "how",
    [
        {"stdout": "/dev/full"},
        {"closed": 1},
    ],
    ids=["full", "closed"],
)
def test_standard_output_that_takes_nothing(tmp_path: Path, how: dict[str, Any]) -> None:
    write(tmp_path, HELLO)
    line = 'exec "$@" >&-' if "closed" in how else 'exec "$@" >/dev/full'
    command = ["sh", "-c", line, "sh", *KADE2KFP, "compile", "pipeline.json", "-o", "-"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"Error: cannot write to standard output: ")
    assert ran.stderr.count(b"\n") == 1


def test_a_reader_that_goes_away_is_no_error_to_speak_of(tmp_path: Path) -> None:
    large = HELLO | {"tasks": [HELLO["tasks"][0] | {"id": f"t{i}"} for i in range(60)]}
    write(tmp_path, large)
    with warm.Popen(
        [*KADE2KFP, "compile", "pipeline.json", "-o", "-"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 141
    assert b"Traceback" not in said
    assert b"Broken" not in said


def test_bytes_do_not_depend_on_the_locale_or_the_hash_seed(tmp_path: Path) -> None:
    write(tmp_path, HELLO | {"name": "학습 🚀", "description": "é"})
    made = {
        kade2kfp("compile", "pipeline.json", "-o", "-", cwd=tmp_path, env=env).stdout
        for env in (
            {"LC_ALL": "C", "PYTHONHASHSEED": "1"},
            {"PYTHONIOENCODING": "ascii", "PYTHONHASHSEED": "2", "TZ": "Asia/Seoul"},
        )
    }
    assert len(made) == 1
    assert made != {b""}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("delay", [None, 0.2, 0.6], ids=["reading", "soon", "late"])
def test_interrupted_at_any_time_it_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, number: signal.Signals, delay: float | None
) -> None:
    target = tmp_path / "pipeline.yaml"
    target.write_text("old")
    document = json.dumps(HELLO | {"tasks": [HELLO["tasks"][0] | {"id": f"t{i}"} for i in range(100)]}).encode()
    process = subprocess.Popen(
        [*KADE2KFP, "compile", "-", "-o", "pipeline.yaml"],
        cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b" " * 500_000)  # more than a pipe holds: when this returns, the document is being read
    process.stdin.flush()
    if delay is not None:
        process.stdin.write(document)
        process.stdin.close()
        time.sleep(delay)
    process.send_signal(number)
    if delay is None:  # Python may be about to read when the signal comes, and looks at it only when something does
        process.stdin.close()
    said = process.stderr.read()
    code = process.wait(60)
    process.stderr.close()
    stopped = 130 if number == signal.SIGINT else -number
    assert code == stopped or (delay and code in (0, -number))  # it may have just ended
    now = target.read_text()
    assert now == "old" or (delay and now.startswith("# PIPELINE") and now.endswith("\n") and "schemaVersion" in now)
    assert b"Traceback" not in said
    if code == 130:
        assert said.strip() == b"kade2kfp: interrupted"
