"""kade2kfp explain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from kade2kfp.cli.explain_command import command
from kade2kfp.diagnostics.pages import FAMILIES, all_codes
from kade2kfp.diagnostics.severity import NOTES, WARNINGS, severity

from .terminal import on_a_terminal

CODES = Path(__file__).parents[2] / "kade2kfp" / "diagnostics" / "codes"
ROW = re.compile(r"(K\d{3})  (error|warning|note) +(\S.*)")


def told(*words: str) -> str:
    done = CliRunner(env={"COLUMNS": "100"}).invoke(command, words)  # else as wide as the tests' terminal
    assert done.exit_code == 0, done.output
    return done.output


def codes(listed: str) -> list[str]:
    return [match[1] for match in map(ROW.fullmatch, listed.splitlines()) if match]


def test_every_code_is_listed_with_its_severity_and_explained() -> None:
    listed = told("--list")
    assert codes(listed) == all_codes()
    assert len(codes(listed)) > 150
    for line in listed.splitlines():
        if match := ROW.fullmatch(line):
            code, kind, said = match.groups()
            assert kind == severity(code)
            assert told(code).startswith(f"{code}: {said} ({kind})\n\nWhat\n")
        else:
            assert not line or line in {f"{family}: {what}" for family, what in FAMILIES.items()}
    for code in WARNINGS | NOTES:
        assert re.search(rf"^{code}  (warning|note) ", listed, re.MULTILINE)


def test_each_family_has_its_heading_once_above_its_codes() -> None:
    parts = [part.splitlines() for part in told("--list").split("\n\n")]
    assert [part[0][:2] for part in parts] == sorted({code[:2] for code in all_codes()})
    for heading, *rows in parts:
        assert {row[:2] for row in rows} == {heading[:2]}
        assert heading == f"{heading[:2]}: {FAMILIES[heading[:2]]}"


def test_the_families_are_those_of_the_manual() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "codes.md").read_text(encoding="utf-8")
    headings = dict(re.findall(r"^## (K\d): (.+)$", manual, re.MULTILINE))
    assert headings == FAMILIES
    assert set(headings) == {code[:2] for code in all_codes()}


def test_what_is_listed_can_be_narrowed() -> None:
    assert codes(told("--list", "K2")) == [code for code in all_codes() if code.startswith("K2")]
    assert codes(told("K3")) == codes(told("--list", "K3"))
    assert codes(told("k30")) == [f"K30{number}" for number in range(10)]
    assert codes(told("--list", "K301", "K52")) == [code for code in all_codes() if code.startswith(("K301", "K52"))]


@pytest.mark.parametrize("written", ["k301", "K301", "[K301]", " K301 "])
def test_a_code_may_be_copied_from_a_message(written: str) -> None:
    assert told(written).startswith("K301: No such parameter (error)\n")


@pytest.mark.parametrize("words", [["K301", "K206"], ["K301,k206"], ["K301", "[K206]", "K301"]])
def test_several_codes_are_explained_one_below_the_other(words: list[str]) -> None:
    assert told(*words) == told("K301") + "\n\n" + told("K206")


def test_a_page_is_shown_without_the_marks_of_markdown() -> None:
    for code in all_codes():
        source, shown = (CODES / f"{code}.md").read_text(encoding="utf-8"), told(code)
        assert "```" not in shown
        assert not re.search("^(#|---)", shown, re.MULTILINE)
        for example in re.findall(r"^```json.*\n(.*?)^```", source, re.MULTILINE | re.DOTALL):
            assert "".join(f"    {line}".rstrip() + "\n" for line in example.splitlines()) in shown
        assert max(len(line) for line in shown.splitlines() if not line.startswith((" ", "|"))) <= 100
        words = re.sub(r"^(?:```.*|#+ )", "", source.split("---\n", 2)[2], flags=re.MULTILINE).split()
        assert shown.split("\n", 1)[1].split() == words


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "Name a code, such as K301, or say --list"),
        (["K399"], "There is no code 'K399'"),
        (["K310x"], "did you mean `K310`?"),
        (["K8x"], "`kade2kfp explain --list` lists them"),
        (["../x"], "There is no code '../X'"),
        ([""], "There is no code ''"),
        (["K301", "nope"], "There is no code 'NOPE'"),
        (["--list", "X"], "There is no code 'X'"),
    ],
)
def test_what_is_no_code_is_wrong_usage(args: list[str], said: str) -> None:
    done = CliRunner().invoke(command, args)
    assert done.exit_code == 2
    assert said in done.output


def test_headings_are_bold_on_a_terminal_alone(tmp_path: Path) -> None:
    shown = on_a_terminal(tmp_path, "explain", "K206")
    assert shown.startswith(
        "\x1b[1mK206: An image that may change\x1b[0m (\x1b[33mwarning\x1b[0m)\n\n\x1b[1mWhat\x1b[0m\n"
    )
    assert on_a_terminal(tmp_path, "explain", "K206", NO_COLOR="1", COLUMNS="100") == told("K206")
    assert on_a_terminal(tmp_path, "explain", "K206", TERM="dumb", COLUMNS="100") == told("K206")
    assert "\x1b" not in told("K206") + told("--list")
    assert (
        max(
            map(
                len,
                on_a_terminal(tmp_path, "explain", "K206", COLUMNS="40", NO_COLOR="1").split("Example")[0].splitlines(),
            )
        )
        <= 40
    )
