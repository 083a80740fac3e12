"""kade2kfp fmt."""

from __future__ import annotations

import click

from kade2kfp.cli.common import files_argument
from kade2kfp.cli.rewriting import Rewritten, rewrite
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.source import Source

_EXAMPLES = """\b
Examples:
  kade2kfp fmt pipeline.json
  kade2kfp fmt pipelines/*.json --check
"""


@click.command("fmt", epilog=_EXAMPLES)
@files_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is not formatted.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], check: bool, diff: bool) -> None:
    """Put documents into the one order and layout. What they say stays the same, to the digit.

    Standard input (`-`) goes to standard output.
    """
    ctx.exit(rewrite(files, _formatted, command="fmt", done="formatted", check=check, diff=diff))


def _formatted(source: Source) -> Rewritten:
    """The document in order. Raises CannotDoError for JSON of another kind, which a pattern of the shell may have named."""
    if not isinstance(source.root, dict) or not {"apiVersion", "tasks"} & set(source.root):
        raise CannotDoError("it is no pipeline: it has neither `apiVersion` nor `tasks`")
    from kade2kfp.rewrite.fmt import formatted

    return Rewritten(formatted(source))
