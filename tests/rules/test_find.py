import os
from pathlib import Path

import pytest

from kade2kfp.rules import find
from kade2kfp.rules.find import rules_file
from kade2kfp.rules.read import read_rules

OURS = "[tool.kade2kfp]\nwerror = true\n"


def folders(tmp_path: Path) -> Path:
    inner = tmp_path / "team" / "pipelines" / "vision"
    inner.mkdir(parents=True)
    return inner


def test_the_nearest_file_alone_counts(tmp_path: Path) -> None:
    inner = folders(tmp_path)
    outer = tmp_path / "team" / "kade2kfp.toml"
    outer.write_text("werror = true\n")
    assert rules_file(inner) == outer
    near = inner.parent / "kade2kfp.toml"
    near.write_text("")
    assert rules_file(inner) == near


def test_in_one_folder_the_own_file_counts_before_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(OURS)
    assert rules_file(tmp_path) == tmp_path / "pyproject.toml"
    (tmp_path / "kade2kfp.toml").write_text("")
    assert rules_file(tmp_path) == tmp_path / "kade2kfp.toml"


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        (OURS, True),
        ("[tool]\nkade2kfp.werror = true\n", True),
        ("tool.kade2kfp = 3\n", True),
        ('["tool"."kade2kfp"]\n', True),
        ("[tool.kade2kfp.policy]\n", True),
        ('[project]\nname = "kade2kfp"\n', False),
        ("[tool.kade2kfp-plugin]\n", False),
        ("# [tool.kade2kfp]\n", False),
        ("[tool.ruff]\nline-length = 120\n", False),
        ("", False),
        ("[tool.kade2kfp]\nwerror = \n", True),  # what is wrong with it is told
        ("\ufeff[tool.kade2kfp]\nwerror = \n", True),
        ("[[tool.kade2kfp]]\nwerror = \n", True),
        ("tool.kade2kfp.werror = \n", True),
        ("[tool]\nx = 1\n  'kade2kfp'.werror = \n", True),
        ("tool = {kade2kfp = {werror = }}\n", True),
        ("[project]\nname = 'kade2kfp'\n[project.scripts]\nkade2kfp = \n", False),
        ("[tool]\nx = \n[x]\nkade2kfp = 1\n", False),
        ("[tool.kade2kfp-plugin]\nx = \n", False),
        ("[project\nname = 'x'\n", False),
        ("tool = 3\n", False),
    ],
)
def test_a_pyproject_without_our_table_is_passed_over(tmp_path: Path, text: str, is_ours: bool) -> None:
    inner = folders(tmp_path)
    outer = tmp_path / "kade2kfp.toml"
    outer.write_text("")
    (tmp_path / "team" / "pyproject.toml").write_text(text)
    assert rules_file(inner) == (tmp_path / "team" / "pyproject.toml" if is_ours else outer)


@pytest.mark.parametrize("how", ["too long", "far down", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("text", [OURS, "[tool.ruff]\nline-length = 120\n"])
def test_a_pyproject_that_cannot_be_read_is_not_passed_over_with_our_table_in_it(
    tmp_path: Path, how: str, text: str
) -> None:
    long = "# " + "x" * 2**20 + "\n"
    whole = {"too long": text + long, "far down": long + text, "utf-16-le": "\ufeff" + text}.get(how, text)
    path = tmp_path / "pyproject.toml"
    path.write_text(whole, encoding=how if how.startswith("utf") else "utf-8")
    if text != OURS:
        assert rules_file(tmp_path) != path
        return
    assert rules_file(tmp_path) == path
    (found,) = read_rules(path)[2]
    assert found.code == "K011"
    assert found.message == ("the file is UTF-16" if how.startswith("utf") else "the file has more than 1 MiB")


def test_a_pyproject_that_is_no_file_is_passed_over(tmp_path: Path) -> None:
    inner = folders(tmp_path)
    os.mkfifo(inner / "pyproject.toml")
    (inner.parent / "pyproject.toml").mkdir()
    (tmp_path / "kade2kfp.toml").write_text("")
    assert rules_file(inner) == tmp_path / "kade2kfp.toml"


def test_an_own_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    inner = folders(tmp_path)
    (tmp_path / "kade2kfp.toml").write_text("")
    (inner / "kade2kfp.toml").symlink_to("nowhere")
    assert rules_file(inner) == inner / "kade2kfp.toml"


def test_links_are_not_resolved(tmp_path: Path) -> None:
    inner = folders(tmp_path)
    (tmp_path / "team" / "kade2kfp.toml").write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kade2kfp.toml").write_text("")
    (elsewhere / "linked").symlink_to(inner)
    assert rules_file(elsewhere / "linked") == elsewhere / "kade2kfp.toml"


def test_a_relative_folder_is_looked_at_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folders(tmp_path)
    (tmp_path / "kade2kfp.toml").write_text("")
    monkeypatch.chdir(inner)
    assert rules_file("") == rules_file(".") == rules_file("..") == tmp_path / "kade2kfp.toml"


def test_a_name_that_no_file_can_have_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "OWN", "no-such-file-of-settings.toml")
    assert rules_file(tmp_path / "not-there" / "x") is None
