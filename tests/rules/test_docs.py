"""docs/rules.md: its settings are right, and it names every setting there is."""

import re
from pathlib import Path

import pytest

from kade2kfp.rules.read import POLICY, SETTINGS, read_rules

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("info", "text"), BLOCKS)
def test_settings_are_right(tmp_path: Path, info: str, text: str) -> None:
    path = tmp_path / next(iter(info.split()), "kade2kfp.toml")
    path.write_text(text, encoding="utf-8")
    rules, _, found = read_rules(path)
    assert found == []
    assert rules != read_rules(Path("/dev/null"))[0]


@pytest.mark.parametrize("name", [*SETTINGS, *POLICY])
def test_each_setting_is_told_and_shown(name: str) -> None:
    shown = "\n".join(text for _, text in BLOCKS)
    assert re.search(rf"^(\[(tool\.kade2kfp\.)?(policy\.)?{name}\]|{name} = )", shown, re.MULTILINE), name
    assert f"`{name}`" in PAGE or name == "policy", name


def test_each_code_of_a_policy_is_linked() -> None:
    pages = Path(__file__).parents[2] / "kade2kfp" / "diagnostics" / "codes"
    ours = {page.stem for page in pages.glob("K25?.md")} | {"K011", "K012", "K013"}
    assert set(re.findall(r"\[(K\d{3})\]", PAGE)) == ours
