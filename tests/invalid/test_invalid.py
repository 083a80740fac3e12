"""Documents with one mistake each, and what is said about it: `Kxxx-what-is-wrong.json` with `.txt` beside it.

A new document needs its .json alone: KADE2KFP_REGEN=1 writes the .txt anew (and fails), to be read before it is committed.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import kade2kfp.diagnostics
from kade2kfp import api
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.diagnostics.severity import severity
from kade2kfp.diagnostics.text import render
from kade2kfp.rewrite.upgrade import upgraded
from kade2kfp.rules.read import read_rules
from kade2kfp.source import Source

HERE = Path(__file__).parent
PACKAGE = Path(kade2kfp.diagnostics.__file__).parent.parent
DOCUMENTS = {path.stem: path for path in sorted(HERE.glob("*.json"))}
SINGLE = [stem for stem in DOCUMENTS if stem != "many"]
PAGES = {path.stem: path for path in sorted((PACKAGE / "diagnostics" / "codes").glob("*.md"))}
CODES = {
    code for path in PACKAGE.rglob("*.py") for code in re.findall(r"\"(K\d{3})\"", path.read_text(encoding="utf-8"))
}
COMPILED = {"K607"}  # a document that is right, and that a cluster cannot carry out
UPGRADED = {"K111"}  # an older document, which `validate` does not read
OF_SETTINGS = {"K011", "K012", "K013"}  # about kade2kfp.toml: tests/rules/test_read.py
OF_A_FILE = {"K008"}  # no text that could be kept here
OF_A_RUN = {code for code in CODES if "K700" <= code <= "K729"}  # given by `run`, for what stands in no document
OF_A_BUG = {"K900"}  # tests/cli has it
TOO_LARGE_TO_SHOW = {"K601", "K602", "K603", "K604", "K605"}


def checked(
    code: str, data: bytes, name: str, folder: Path, settings: Path | None = None
) -> tuple[Source, Sequence[Diagnostic]]:
    """What is said about a document; `settings` is the team's file, where there is one."""
    source = api.parse(data, name)
    if code in UPGRADED:
        return source, upgraded(source).conflicts
    how = api.compile if code in COMPILED else api.validate
    rules = read_rules(settings, "kade2kfp.toml")[0] if settings and settings.exists() else None
    return source, how(source, folder=folder, rules=rules).diagnostics


def shown(source: Source, found: Sequence[Diagnostic]) -> str:
    return "".join(f"{text}\n" for text in render(found, source.line, columns=100))


def agrees(golden: Path, text: str) -> None:
    if os.environ.get("KADE2KFP_REGEN") and (not golden.exists() or golden.read_text(encoding="utf-8") != text):
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} was written anew: read it")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("stem", SINGLE)
def test_one_mistake_gives_one_diagnostic(stem: str) -> None:
    code = stem[:4]
    source, found = checked(code, DOCUMENTS[stem].read_bytes(), f"{stem}.json", HERE, HERE / f"{stem}.toml")
    text = shown(source, found)
    assert [one.code for one in found] == [code], text
    agrees(HERE / f"{stem}.txt", text)


def test_twenty_mistakes_are_found_in_one_run_in_order_of_position() -> None:
    source, found = checked("", DOCUMENTS["many"].read_bytes(), "many.json", HERE)
    text = shown(source, found)
    assert len(found) == 20, text
    assert len({one.code for one in found}) == 20, text
    places = [(one.span.line, one.span.column) for one in found if one.span]
    assert places == sorted(places)
    assert len(places) == 20
    assert {"K0", "K1", "K2", "K3", "K4", "K5"} == {one.code[:2] for one in found}
    agrees(HERE / "many.txt", text)


def test_every_code_has_a_document() -> None:
    assert {stem[:4] for stem in SINGLE} == CODES - OF_A_FILE - OF_A_RUN - OF_A_BUG - OF_SETTINGS


def test_every_code_has_a_page() -> None:
    assert set(PAGES) == CODES


def test_every_document_has_what_is_said_about_it() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == set(DOCUMENTS)


@pytest.mark.parametrize("code", PAGES)
def test_page_agrees_with_what_is_given(code: str) -> None:
    text = PAGES[code].read_text(encoding="utf-8")
    head = re.match(r"---\ntitle: ([^\n]{5,80})\nseverity: (\w+)\n---\n## What\n", text)
    assert head is not None
    assert head[2] == severity(code).value
    sections = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert sections == ["What", "Why", "Example", "Fix"] or (
        sections == ["What", "Why", "Fix"] and code in TOO_LARGE_TO_SHOW | OF_A_FILE | OF_A_RUN | OF_A_BUG
    )


def _block(code: str, section: str, language: str = "json") -> str | None:
    text = PAGES[code].read_text(encoding="utf-8")
    found = re.search(rf"^## {section}\n.*?^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else None


@pytest.mark.parametrize(
    "code",
    [code for code in PAGES if not code.startswith("K0") and code not in TOO_LARGE_TO_SHOW | OF_A_RUN | OF_A_BUG],
)
def test_example_of_a_page_gives_the_code_and_its_fix_nothing(code: str, tmp_path: Path) -> None:
    example, fix = _block(code, "Example"), _block(code, "Fix")
    assert example is not None
    assert fix is not None
    settings = tmp_path / "kade2kfp.toml"
    if rules := _block(code, "Example", "toml"):
        settings.write_text(rules, encoding="utf-8")
    source, found = checked(code, example.encode(), f"{code}.json", tmp_path, settings)
    assert [one.code for one in found] == [code], shown(source, found)
    source, found = checked(code, fix.encode(), f"{code}.json", tmp_path, settings)
    assert not found, shown(source, found)


def _misspelt(value: Any) -> Iterator[Any]:
    """The value with one of its keys misspelt, for each key."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield {(f"{one}z" if one == key else one): other for one, other in value.items()}
            for changed in _misspelt(item):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for i, item in enumerate(value):
            for changed in _misspelt(item):
                yield [*value[:i], changed, *value[i + 1 :]]


@pytest.mark.parametrize(
    "code",
    [code for code in PAGES if not code.startswith("K0") and code not in TOO_LARGE_TO_SHOW | OF_A_RUN | OF_A_BUG],
)
def test_one_misspelt_key_gives_one_diagnostic(code: str, tmp_path: Path) -> None:
    """Also where the field is needed, and where others refer to what it names."""
    for document in _misspelt(json.loads(_block(code, "Fix") or "{}")):
        source, found = checked("", json.dumps(document, indent=1).encode(), f"{code}.json", tmp_path)
        assert len(found) <= 1, shown(source, found)
