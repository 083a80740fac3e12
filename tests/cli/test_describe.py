"""`kade2kfp describe`: what it prints where, its exit codes, and the schema that it keeps to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from .command import HELLO, WARNED, WRONG, environment, kade2kfp, no_bug, write

TOP = Path(__file__).parents[2]
EXAMPLES = sorted(TOP.glob("examples/*/pipeline.json"))
SCHEMA = TOP / "schemas/describe.v1.json"


def test_it_says_what_a_pipeline_is(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("describe", "pipeline.json", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    shown = ran.stdout.decode()
    for words in (
        "hello",
        'who  string  "world"  greet',
        "greet  job   busybox:1.36",
        "Size: about 11 KiB, 1.1% of what Argo holds",
    ):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_json_of_each_example_is_valid_and_the_same_each_time(tmp_path: Path, path: Path) -> None:
    ran = kade2kfp("describe", str(path), "--json", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    found = json.loads(ran.stdout)
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(found)
    assert kade2kfp("describe", str(path), "--json", cwd=tmp_path).stdout == ran.stdout
    assert kade2kfp("describe", str(path), cwd=tmp_path).returncode == 0


def test_standard_input_and_values(tmp_path: Path) -> None:
    document = json.dumps(HELLO).encode()
    ran = kade2kfp("describe", "-", "--json", "--set", "who=you", cwd=tmp_path, stdin=document)
    found = json.loads(ran.stdout)
    assert found["parameters"][0]["default"] == "you"
    assert found["file"] == "<stdin>"
    refused = kade2kfp("describe", "-", "--set", "who", cwd=tmp_path, stdin=document)
    assert refused.returncode == 2
    wrong = kade2kfp("describe", "-", "--set", "whom=x", cwd=tmp_path, stdin=document)
    assert (wrong.returncode, wrong.stdout) == (1, b"")
    assert b"did you mean `who`" in wrong.stderr


def test_one_task_in_full(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("describe", "pipeline.json", "--task", "greet", cwd=tmp_path)
    assert ran.stdout.decode().startswith("Task greet (job)\n  stands at  pipeline.json:")
    assert b"  setting  value         from    line\n  image    busybox:1.36  itself  " in ran.stdout
    data = kade2kfp("describe", "pipeline.json", "--task", "greet", "--json", cwd=tmp_path)
    assert [one["id"] for one in json.loads(data.stdout)["tasks"]] == ["greet"]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_task_that_is_not_there_is_suggested(tmp_path: Path, more: list[str]) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("describe", "pipeline.json", "--task", "geet\x1b[1m", *more, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"`greet`" in ran.stderr
    no_bug(ran)


def test_errors_are_shown_as_by_validate(tmp_path: Path) -> None:
    write(tmp_path, WRONG)
    ran = kade2kfp("describe", "pipeline.json", "--json", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr == kade2kfp("validate", "pipeline.json", cwd=tmp_path).stderr
    for broken in (b"", b"{", b"[]", b"\xff\xfe"):
        ran = kade2kfp("describe", "-", cwd=tmp_path, stdin=broken)
        assert (ran.returncode, ran.stdout) == (1, b"")
        no_bug(ran)
    missing = kade2kfp("describe", "none.json", cwd=tmp_path)
    assert missing.returncode == 1
    no_bug(missing)


def test_warnings_are_mentioned_beside_the_text_alone(tmp_path: Path) -> None:
    write(tmp_path, WARNED)
    text = kade2kfp("describe", "pipeline.json", cwd=tmp_path)
    assert text.returncode == 0
    assert b"`kade2kfp validate`" in text.stderr
    assert b"not used" in text.stdout
    assert kade2kfp("describe", "pipeline.json", "--json", cwd=tmp_path).stderr == b""


def test_a_teams_mirror_is_shown_with_the_original(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    (tmp_path / "kade2kfp.toml").write_text('[policy.mirror]\n"docker.io" = "mirror.example/hub"\n', encoding="utf-8")
    ran = kade2kfp("describe", "pipeline.json", "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    image = json.loads(ran.stdout)["images"][0]
    assert image["image"].startswith("mirror.example/hub/")
    assert image["originals"] == ["busybox:1.36"]
    assert b"in place of busybox:1.36" in kade2kfp("describe", "pipeline.json", cwd=tmp_path).stdout
    plain = kade2kfp("describe", "pipeline.json", "--json", "--no-config", cwd=tmp_path)
    assert json.loads(plain.stdout)["images"][0]["originals"] == []


def test_a_narrow_and_a_wide_terminal(tmp_path: Path) -> None:
    write(tmp_path, HELLO | {"description": "word " * 60})
    for columns in ("60", "100"):
        ran = kade2kfp("describe", "pipeline.json", cwd=tmp_path, env={"COLUMNS": columns})
        assert int(columns) - 20 < max(map(len, ran.stdout.decode().splitlines())) <= int(columns)


def test_the_schema_of_descriptions(tmp_path: Path) -> None:
    ran = kade2kfp("schema", "describe", cwd=tmp_path)
    assert ran.stdout == SCHEMA.read_bytes()
    assert kade2kfp("schema", "describe", "--check", cwd=tmp_path).returncode == 0
    assert kade2kfp("schema", "pipeline", cwd=tmp_path).stdout == kade2kfp("schema", cwd=tmp_path).stdout
    wrong = kade2kfp("schema", "descrbe", cwd=tmp_path)
    assert wrong.returncode == 2
    assert b"describe" in wrong.stderr


def test_a_stale_schema_is_found(tmp_path: Path) -> None:
    """In a copy of the package whose schema is another one, or is not there."""
    (tmp_path / "kade2kfp").symlink_to(TOP / "kade2kfp")
    code = (
        "import sys, kade2kfp.resources as r; from pathlib import Path; import kade2kfp.cli.schema_command as c;"
        "c.read_text = lambda name: Path(sys.argv[1]).read_text(); c.command(['describe', '--check'])"
    )
    (tmp_path / "stale.json").write_text("{}", encoding="utf-8")
    for name in ("stale.json", "none.json"):
        ran = subprocess.run(
            [sys.executable, "-c", code, name], cwd=tmp_path, env=environment(), capture_output=True, timeout=60
        )
        assert ran.returncode == 1
        assert b"kade2kfp schema describe -o schemas/describe.v1.json" in ran.stderr
