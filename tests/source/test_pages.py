"""Each code of the family K0 has a page, whose example gives that diagnostic and no other."""

import re
from pathlib import Path

import pytest

import kade2kfp.diagnostics
from kade2kfp.source import read_source

PAGES = sorted(page for page in Path(kade2kfp.diagnostics.__file__).parent.glob("codes/K0*.md") if page.stem <= "K010")
WITHOUT_EXAMPLE = {"K001", "K002", "K008"}


def test_no_code_is_without_a_page() -> None:
    assert [page.stem for page in PAGES] == [f"K{n:03}" for n in range(1, 11)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_gives_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(r"---\ntitle: [^\n]{5,80}\nseverity: error\n---\n## What\n", text)
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["What", "Why", "Example", "Fix"]
    examples = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert bool(examples) == (page.stem not in WITHOUT_EXAMPLE)
    for example in examples:
        assert [one.code for one in read_source(example.encode(), "p.json").diagnostics] == [page.stem]
