"""kade2kfp upgrade."""

from __future__ import annotations

import click

from kade2kfp.cli.common import files_argument
from kade2kfp.cli.rewriting import Rewritten, rewrite
from kade2kfp.diagnostics.model import Diagnostic, Span
from kade2kfp.document.versions import OLDER_VERSIONS
from kade2kfp.source import Source

_EXAMPLES = """\b
Examples:
  kade2kfp upgrade pipeline.json
  kade2kfp upgrade pipelines/*.json --check
"""


@click.command("upgrade", epilog=_EXAMPLES)
@files_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is older.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], check: bool, diff: bool) -> None:
    """Bring documents of an older version of the format to the present one.

    It says what it changes, and what you should look at. What it does not know it keeps. Standard input (`-`) goes to
    standard output.
    """
    ctx.exit(rewrite(files, _upgraded, command="upgrade", done="upgraded", check=check, diff=diff))


def _upgraded(source: Source) -> Rewritten:
    """The document in the present version; as it is where it has that already."""
    from kade2kfp.document.pipeline import API_VERSION
    from kade2kfp.rewrite.upgrade import upgraded, version

    now = version(source)
    if now == API_VERSION:
        return Rewritten(kept=True)
    if now not in OLDER_VERSIONS:
        return Rewritten(diagnostics=_unknown(source))
    made = upgraded(source)
    if made.text is None:
        return Rewritten(diagnostics=made.conflicts)
    looks = (_place(source, span) + text for text, span in made.looks)
    return Rewritten(made.text, (), (*(f"  {one}" for one in made.changes), *(f"  look at {one}" for one in looks)))


def _place(source: Source, span: Span | None) -> str:
    return f"{source.file}:{span.line}:{span.column} " if span else ""


def _unknown(source: Source) -> tuple[Diagnostic, ...]:
    """What `validate` says of a version that is missing, or not known."""
    from kade2kfp.api import validate

    found = validate(source).diagnostics
    about = tuple(one for one in found if one.pointer == ("apiVersion",) or "`apiVersion`" in one.message + one.help)
    return about or found
