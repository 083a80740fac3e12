"""kade2kfp explain."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from kade2kfp.cli.explain_command import command
from kade2kfp.diagnostics.severity import severity


def test_every_code_is_listed_with_its_severity_and_explained() -> None:
    listed = CliRunner().invoke(command, ["--list"]).output.splitlines()
    assert len(listed) > 90
    for line in listed:
        code, kind, title = line.split(maxsplit=2)
        assert kind == severity(code)
        page = CliRunner().invoke(command, [code])
        assert page.exit_code == 0
        assert page.output.startswith(f"{code}: {title} ({kind})\n\n## What\n")


@pytest.mark.parametrize("written", ["k301", "K301", "[K301]"])
def test_a_code_may_be_copied_from_a_message(written: str) -> None:
    assert CliRunner().invoke(command, [written]).output.startswith("K301: ")


@pytest.mark.parametrize(
    ("args", "said"), [([], "Name a code"), (["K399"], "There is no code 'K399'"), (["../x"], "no code")]
)
def test_what_is_no_code_is_wrong_usage(args: list[str], said: str) -> None:
    done = CliRunner().invoke(command, args)
    assert done.exit_code == 2
    assert re.search(said, done.output)
