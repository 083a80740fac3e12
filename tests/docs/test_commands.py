"""The reference of the commands and the man page: whole, and readable by what they are written for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from kade2kfp.cli.declared import names_of, whole_of

from . import pages

sys.path.insert(0, str(pages.ROOT / "scripts"))

from docs_commands import entries, text
from docs_man import _escaped, _paragraph

ENTRIES = entries()
PAGE = pages.read("docs/commands.md")
MAN = pages.read("man/kade2kfp.1")


def section(words: str) -> str:
    return PAGE.split(f"\n## {words}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.words)
def test_each_command_has_its_section(entry) -> None:
    said = section(entry.words)
    assert f"```text\n{entry.words} " in said
    assert "```sh\nkade2kfp " in said
    shown = PAGE.replace("\\", "")
    for option in entry.command.params:
        if not getattr(option, "hidden", True):
            assert f"`{names_of(option)}" in said
            assert whole_of(option).replace("`", "") in shown.replace("`", "")


def test_each_row_of_a_table_has_its_two_cells() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert len(rows) > 200
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != 3] == []


def test_words_of_a_sentence_are_no_markup() -> None:
    assert text("a_b *c* <d> [e](f) | `g|<h>`") == r"a_b \*c\* \<d\> \[e\](f) \| `g\|<h>`"


def test_lines_of_the_man_page_are_text_or_requests() -> None:
    requests = {".TH", ".SH", ".SS", ".PP", ".TP", ".RS", ".RE", ".nf", ".fi", ".B", ".I", '.\\"'}
    found = {line.split()[0] for line in MAN.splitlines() if line.startswith((".", "'"))}
    assert found <= requests
    assert MAN.isascii()
    assert "`" not in re.sub(r'^\.\\".*$', "", MAN, flags=re.MULTILINE)


def test_what_roff_would_act_upon_is_escaped() -> None:
    assert list(_paragraph(".so /etc/passwd")) == [r"\&.so /etc/passwd"]
    assert list(_paragraph("'x' \\fBy\\fR `--z`")) == [r"\&\(aqx\(aq \efBy\efR \fB\-\-z\fR"]
    assert _escaped("~ ^ \u20ac") == r"\(ti \(ha \[u20AC]"
    said = list(_paragraph("word " * 40 + ".dot"))
    assert all(len(line) <= 80 and not line.startswith(".") for line in said)


@pytest.mark.parametrize(
    "command",
    [
        ["mandoc", "-T", "lint", "-W", "warning"],
        ["groff", "-man", "-t", "-z", "-ww"],
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Z"],
    ],
    ids=lambda words: words[0],
)
def test_readers_of_man_pages_find_nothing_wrong(command) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    ran = subprocess.run([*command, "man/kade2kfp.1"], cwd=pages.ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    if command[0] == "mandoc":
        assert ran.stdout == ""


def test_the_man_page_shows_what_is_written() -> None:
    if shutil.which("groff") is None:
        pytest.skip("there is no groff here")
    shown = subprocess.run(
        ["groff", "-man", "-T", "ascii", "-P", "-cbou", "man/kade2kfp.1"],
        cwd=pages.ROOT,
        capture_output=True,
        text=True,
    ).stdout
    assert "kade2kfp submit pipeline.json --schedule '0 3 * * 1-5'" in shown
    assert "kade2kfp predict iris endpoint --json '{\"inputs\": [[5.1, 3.5, 1.4, 0.2]]}'" in shown
    assert "~/.local/share/kade2kfp" in shown
    for entry in ENTRIES:
        assert f"   {entry.words} " in shown
