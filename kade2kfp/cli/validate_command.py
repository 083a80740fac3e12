"""kade2kfp validate."""

from __future__ import annotations

import click

from kade2kfp.cli.common import (
    failed,
    files_argument,
    folder_of,
    output_format,
    read,
    set_option,
    values,
    werror_option,
)
from kade2kfp.cli.rules import RulesChoice, rules_for, rules_options
from kade2kfp.cli.showing import Showing, limit_of, showing_options
from kade2kfp.cli.streams import say

_EXAMPLES = """\b
Examples:
  kade2kfp validate pipeline.json
  kade2kfp validate pipelines/*.json --output-format json
"""


@click.command("validate", epilog=_EXAMPLES)
@files_argument
@set_option
@click.option("--no-sources", is_flag=True, help="Do not look for the files named as `source`.")
@output_format("--output-format", "--output", "--format")
@werror_option
@rules_options
@showing_options
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    pairs: tuple[str, ...],
    no_sources: bool,
    output: str,
    werror: bool,
    choice: RulesChoice,
    limit: int | None,
    color: str,
) -> None:
    """Check pipeline documents and say all that is wrong with them. `-` reads standard input."""
    from kade2kfp.api import validate

    named = tuple(dict.fromkeys(files))
    every = [rules_for(path, choice, output=output, stream_is_out=True) for path in named]
    showing = Showing(output, stream_is_out=True, limit=limit_of(limit, every), color=color)
    wrong = anything = False
    for path, rules in zip(named, every, strict=True):
        source = read(path)
        given = values(source, pairs)
        found = validate(source, folder=folder_of(path), values=given, rules=rules, sources=not no_sources).diagnostics
        showing.add(source, found)
        wrong |= failed(found, werror=werror or rules.werror)
        anything |= bool(found)
    showing.end()
    if not anything and output in ("text", "github"):
        say(f"{len(named)} file{'s' if len(named) != 1 else ''} checked, nothing wrong")
    ctx.exit(1 if wrong else 0)
