"""The manual is true: its commands print what it shows, its documents are valid, its links lead somewhere.

KADE2KFP_REGEN=1 writes into the pages what their commands print now (and fails), to be read before it is committed.
"""

from __future__ import annotations

import doctest
import json
import os
import re
from pathlib import Path

import pytest

from kade2kfp.api import parse, validate
from kade2kfp.checks.mounts import RESERVED
from kade2kfp.checks.size import MAX_COMPONENT, MAX_WORKFLOW, SURE, WARNED
from kade2kfp.plan.files import MAX_PIPELINE, MAX_TASK
from kade2kfp.plan.turns import MAX_ITEMS
from kade2kfp.source.limits import MAX_BYTES, MAX_DEPTH

from . import pages

WITH_CONSOLE = [
    page for page in pages.PAGES if any(one.language == "console" for one in pages.blocks(pages.read(page)))
]
DOCUMENTS = [
    pytest.param(block, id=f"{page}:{block.line}")
    for page in pages.PAGES
    for block in pages.blocks(pages.read(page))
    if block.language == "json"
]
EMPTY = {"apiVersion": "kade2kfp/v1", "name": "part"}
ANY_TASK = {"id": "any", "type": "job", "image": "busybox:1.36", "command": ["true"]}


@pytest.mark.parametrize("page", WITH_CONSOLE)
def test_commands_print_what_the_page_shows(page, tmp_path):
    here = pages.checkout(tmp_path)
    differing = []
    groups: list[int] = []
    try:
        for block in pages.blocks(pages.read(page)):
            if name := pages.file_of(block):
                (here / name).write_text(block.text, encoding="utf-8")
            for call in pages.calls(block) if block.language == "console" else ():
                code, printed = pages.run(call.command, here, groups)
                assert code in (0, 1), f"{page}:{call.line}: $ {call.command}: exit code {code}\n{printed}"
                if not pages.agrees(call.shown, printed):
                    differing.append((call, printed))
    finally:
        pages.end(groups)
    if os.environ.get("KADE2KFP_REGEN"):
        for call, printed in reversed(differing):
            text = pages.with_output(pages.read(page), call, printed)
            (pages.ROOT / page).write_text(text, encoding="utf-8")
    assert not differing, "\n".join(f"{page}:{call.line}: $ {call.command}\n{printed}" for call, printed in differing)


@pytest.mark.parametrize("block", DOCUMENTS)
def test_documents_are_valid_unless_marked_as_broken(block):
    given = json.loads(block.text)
    whole = given if "apiVersion" in given else EMPTY | {"tasks": [ANY_TASK]} | given
    checked = validate(parse(json.dumps(whole)))
    said = [f"{one.code} {one.message}" for one in checked.diagnostics]
    assert checked.ok is ("broken" not in block.info), said
    if checked.ok and "apiVersion" not in given:
        assert set(given) <= set(checked.analysis.document.source.root), said


@pytest.mark.parametrize("page", pages.PAGES)
def test_links_resolve(page):
    text = pages.prose(pages.read(page))
    here = (pages.ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        path = (here / name).resolve() if name else pages.ROOT / page
        assert path.exists(), f"{page}: {target}"
        assert path.is_relative_to(pages.ROOT), f"{page}: {target} leads out of the project"
        if anchor:
            assert anchor in pages.anchors(path.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", pages.PAGES)
def test_make_targets_exist(page):
    known = set(re.findall(r"^([a-z][a-z-]*):", (pages.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"(?:`|^\$ |^)make ([a-z][a-z-]*)", pages.read(page), re.MULTILINE)
    assert set(named) <= known


def test_the_manual_is_reached_from_its_index():
    linked = set(re.findall(r"\]\(([a-z]+\.md)\)", pages.read("docs/index.md")))
    assert linked == {Path(page).name for page in pages.PAGES if page.startswith("docs/")} - {"index.md"}


def test_every_example_has_a_readme_that_compiles_it():
    for document in sorted((pages.ROOT / "examples").glob("*/pipeline.json")):
        name = document.relative_to(pages.ROOT).as_posix()
        assert f"$ kade2kfp compile {name} " in (document.parent / "README.md").read_text(encoding="utf-8")
        assert f"({name.removesuffix('pipeline.json')}README.md)" in pages.read("README.md")


def test_generated_pages_are_current():
    code, printed = pages.run("python scripts/docs.py --check", pages.ROOT)
    assert (code, printed) == (0, "")


def test_stale_generated_page_is_found(tmp_path):
    here = pages.checkout(tmp_path)
    (here / "kade2kfp").symlink_to(pages.ROOT / "kade2kfp")
    page = here / "docs" / "format.md"
    page.write_text(page.read_text(encoding="utf-8").replace("whole number", "number"), encoding="utf-8")
    code, printed = pages.run("python scripts/docs.py --check", here)
    assert code == 1
    assert "docs/format.md is stale: write it anew by `make docs`" in printed


def test_limits_are_the_limits_of_the_code():
    text = pages.read("docs/limits.md")
    for shown in (
        f"| {MAX_BYTES >> 20} MiB, {MAX_DEPTH} levels deep |",
        f"| the files of a task | {MAX_TASK >> 10} KiB |",
        f"| the files of a pipeline | {MAX_PIPELINE >> 10} KiB |",
        f"| {MAX_COMPONENT >> 10} KiB | K603 |",
        f"| items of a `forEach` that are in the document | {MAX_ITEMS} | K503 |",
        f"| {MAX_WORKFLOW // 1024:,} KiB; a warning from {WARNED * 100:.0f} %, an error from {SURE * 100:.0f} % |",
    ):
        assert shown in text
    assert [path for path in RESERVED if f"`{path}`" not in text] == []


def test_contributing_names_what_is_there():
    text = pages.read("CONTRIBUTING.md")
    for name in re.findall(r"`([a-zA-Z0-9_.-]+/[a-zA-Z0-9_./-]*)`", text):
        if name.startswith((".cache", "dist", "build")):
            continue
        places = (pages.ROOT / name, pages.ROOT / "kade2kfp" / name)
        assert any(place.exists() for place in places), name


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\n...\nd", "a\nb\nc\nd\n", True),
        ("a, 70.3 KiB", "a, 71.9 KiB\n", True),
        ("", "", True),
        ("a", "a\nb\n", False),
        ("", "something\n", False),
        ("a.c", "abc\n", False),
        ("a\n...", "b\nc\n", False),
        ("3 tasks", "4 tasks\n", False),
    ],
)
def test_what_counts_as_agreeing(shown, printed, same):
    assert pages.agrees(shown, printed) is same


def test_new_output_takes_the_place_of_the_old():
    text = "before\n```console\n$ one\nold\nlines\n$ two\n```\nafter\n"
    one, two = pages.calls(pages.blocks(text)[0])
    text = pages.with_output(text, two, "new two\n")
    text = pages.with_output(text, one, "new one\n\n")
    assert text == "before\n```console\n$ one\nnew one\n$ two\nnew two\n```\nafter\n"


@pytest.mark.parametrize("page", [page for page in pages.PAGES if "```pycon" in pages.read(page)])
def test_python_prints_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(pages.checkout(tmp_path))
    session = "\n".join(block.text for block in pages.blocks(pages.read(page)) if block.language == "pycon")
    test = doctest.DocTestParser().get_doctest(session, {}, page, page, 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test, out=said.append).failed == 0, "".join(said)
