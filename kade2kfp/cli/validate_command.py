"""kade2kfp validate."""

from __future__ import annotations

import click

from kade2kfp.api import validate
from kade2kfp.cli.common import (
    failed,
    files_argument,
    folder_of,
    output_format,
    read,
    set_option,
    show,
    values,
    werror_option,
)
from kade2kfp.cli.streams import say

_EXAMPLES = """\b
Examples:
  kade2kfp validate pipeline.json
  kade2kfp validate pipelines/*.json --output-format json
"""


@click.command("validate", epilog=_EXAMPLES)
@files_argument
@set_option
@click.option("--no-sources", is_flag=True, help="Do not look for the files that the document names as `source`.")
@output_format("--output-format", "--output", "--format")
@werror_option
@click.pass_context
def command(
    ctx: click.Context, files: tuple[str, ...], pairs: tuple[str, ...], no_sources: bool, output: str, werror: bool
) -> None:
    """Check pipeline documents and say all that is wrong with them. `-` reads standard input."""
    results = []
    for path in files:
        source = read(path)
        checked = validate(source, folder=None if no_sources else folder_of(path), values=values(source, pairs))
        results.append((source, checked.diagnostics))
    show(results, output, stream_is_out=True)
    every = [one for _, found in results for one in found]
    if not every and output != "json":
        say(f"{len(files)} file{'s' if len(files) != 1 else ''} checked, nothing wrong")
    ctx.exit(1 if failed(every, werror=werror) else 0)
