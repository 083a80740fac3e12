"""A team's rules on the command line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from .command import HELLO, kade2kfp, no_bug, write

GREETING = HELLO | {"parameters": [*HELLO["parameters"], {"name": "unused", "type": "integer", "default": 1}]}
FORBIDS = '[policy]\nregistries = ["ghcr.io"]\n'


def codes(ran: Any) -> list[str]:
    return [one["code"] for one in json.loads(ran.stdout)["diagnostics"]]


def validated(*words: str, cwd: Path, **how: Any) -> list[str]:
    return codes(kade2kfp("validate", *words, "--output-format", "json", cwd=cwd, **how))


def test_the_nearest_file_holds_for_each_document(tmp_path: Path) -> None:
    for name in ("strict", "lax"):
        (tmp_path / name / "inner").mkdir(parents=True)
        write(tmp_path / name / "inner", GREETING)
    (tmp_path / "kade2kfp.toml").write_text(FORBIDS)
    (tmp_path / "lax" / "kade2kfp.toml").write_text('ignore = ["K"]\n')
    paths = ["strict/inner/pipeline.json", "lax/inner/pipeline.json"]
    found = json.loads(kade2kfp("validate", *paths, "--output-format", "json", cwd=tmp_path).stdout)["diagnostics"]
    assert {(one["code"], one["file"]) for one in found} == {("K250", paths[0]), ("K242", paths[0])}
    ran = kade2kfp("validate", "pipeline.json", cwd=tmp_path / "strict" / "inner")
    assert b"that ../../kade2kfp.toml allows" in ran.stderr
    no_bug(ran)


def test_standard_input_goes_by_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "kade2kfp.toml").write_text(FORBIDS)
    assert "K250" in validated("-", cwd=tmp_path, stdin=json.dumps(HELLO).encode())


def test_select_replaces_and_ignore_adds(tmp_path: Path) -> None:
    document = GREETING | {"tasks": [GREETING["tasks"][0] | {"image": "busybox"}]}
    path = write(tmp_path, document).name
    assert sorted(validated(path, cwd=tmp_path)) == ["K206", "K242"]
    (tmp_path / "kade2kfp.toml").write_text('select = ["K206"]\n')
    assert validated(path, cwd=tmp_path) == ["K206"]
    assert validated(path, "--select", "K24", cwd=tmp_path) == ["K242"]
    assert validated(path, "--ignore", "K206", cwd=tmp_path) == []
    (tmp_path / "kade2kfp.toml").write_text('ignore = ["K206"]\n')
    assert validated(path, cwd=tmp_path) == ["K242"]
    assert validated(path, "--ignore", "K3, K242", cwd=tmp_path) == []
    assert validated(path, "--select", "K2", cwd=tmp_path) == ["K242"]
    assert sorted(validated(path, "--no-config", cwd=tmp_path)) == ["K206", "K242"]
    assert kade2kfp("validate", path, "--werror", cwd=tmp_path).returncode == 1
    assert kade2kfp("validate", path, "--werror", "--ignore", "K242", cwd=tmp_path).returncode == 0


def test_werror_of_the_file_counts(tmp_path: Path) -> None:
    path = write(tmp_path, GREETING).name
    assert kade2kfp("validate", path, cwd=tmp_path).returncode == 0
    (tmp_path / "pyproject.toml").write_text("[tool.kade2kfp]\nwerror = true\n")
    assert kade2kfp("validate", path, cwd=tmp_path).returncode == 1
    assert kade2kfp("compile", path, cwd=tmp_path).returncode == 1
    assert not (tmp_path / "pipeline.yaml").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--ignore", "K204"], "--ignore: `K204` is an error, and errors are always shown"),
        (["--select", "K206,k207"], "did you mean `K207`?"),
        (["--ignore", ""], "such as `K206`"),
        (["--select", "K206,"], "such as `K206`"),
        (["--select", "\x1b[31m"], "\\x1b"),
        (["--config", "x.toml", "--no-config"], "keep one of them"),
    ],
)
def test_wrong_usage_says_what_to_type(tmp_path: Path, words: list[str], says: str) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("validate", "pipeline.json", *words, cwd=tmp_path)
    assert ran.returncode == 2
    assert says in " ".join(ran.stderr.decode().split())
    no_bug(ran)


def test_wrong_settings_end_the_command_and_are_told_once(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write(tmp_path, HELLO, name)
    (tmp_path / "kade2kfp.toml").write_text("werror = true\nregistry = []\n")
    ran = kade2kfp("compile", "a.json", "b.json", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.decode().count("kade2kfp.toml:2:1: error[K012]: there is no setting `registry`") == 1
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json", "kade2kfp.toml"]
    assert validated("a.json", "b.json", cwd=tmp_path) == ["K012"]
    assert kade2kfp("validate", "a.json", "--no-config", cwd=tmp_path).returncode == 0


def test_another_file_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, HELLO).name
    (tmp_path / "kade2kfp.toml").write_text("werror = \n")
    (tmp_path / "strict.toml").write_text(FORBIDS)
    assert "K250" in validated(path, "--config", "strict.toml", cwd=tmp_path)
    assert validated(path, "--config", "not-there.toml", cwd=tmp_path) == ["K011"]
    assert validated(path, "--config", ".", cwd=tmp_path) == ["K011"]


def test_what_is_compiled_comes_from_the_mirror_and_the_document_stays(tmp_path: Path) -> None:
    path = write(tmp_path, HELLO)
    before = path.read_bytes()
    (tmp_path / "kade2kfp.toml").write_text('[policy.mirror]\n"docker.io" = "m.example.org/hub"\n')
    ran = kade2kfp("compile", "pipeline.json", "-o", "-", cwd=tmp_path)
    assert b"image: m.example.org/hub/library/busybox:1.36\n" in ran.stdout
    plain = kade2kfp("compile", "pipeline.json", "-o", "-", "--no-config", cwd=tmp_path)
    assert b"image: busybox:1.36\n" in plain.stdout
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["run", "pipeline.json"],
        ["submit", "pipeline.json", "--endpoint", "http://127.0.0.1:9"],
        ["rbac", "pipeline.json"],
        ["bento", "pipeline.json", "greet", "-o", "folder"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_keeps_to_the_rules(tmp_path: Path, words: list[str]) -> None:
    write(tmp_path, HELLO)
    (tmp_path / "kade2kfp.toml").write_text(FORBIDS)
    ran = kade2kfp(*words, cwd=tmp_path, env={"KADE2KFP_HOME": str(tmp_path / "home")})
    assert ran.returncode == 1
    assert b"K250" in ran.stderr
    assert not (tmp_path / "home").exists()
    no_bug(ran)


def test_rerun_goes_by_the_rules_where_the_document_was(tmp_path: Path) -> None:
    home = {"KADE2KFP_HOME": str(tmp_path / "home")}
    shared = Path(__file__).parents[2] / ".cache" / "test-environments"
    shared.mkdir(parents=True, exist_ok=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "environments").symlink_to(shared)
    document = HELLO | {"tasks": [{"id": "greet", "type": "job", "image": "busybox:1.36", "command": ["true"]}]}
    write(tmp_path, document | {"parameters": []})
    first = kade2kfp("run", "pipeline.json", cwd=tmp_path, env=home)
    assert first.returncode == 0, first.stderr
    (tmp_path / "kade2kfp.toml").write_text(FORBIDS)
    ran = kade2kfp("rerun", "last", cwd=tmp_path, env=home)
    assert ran.returncode == 1
    assert b"K250" in ran.stderr
    (tmp_path / "pipeline.json").unlink()
    assert kade2kfp("rerun", "last", cwd=tmp_path, env=home).returncode == 0


def test_without_settings_no_toml_is_read(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    code = "import sys, kade2kfp.cli as c\ntry: c.main(['validate', 'pipeline.json'])\nexcept SystemExit: pass\nprint('tomllib' in sys.modules, 'kfp' in sys.modules)"
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert ran.stdout == b"False False\n"
