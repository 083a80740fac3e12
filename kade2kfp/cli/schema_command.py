"""kade2kfp schema."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from kade2kfp.cli.streams import out as write_out
from kade2kfp.cli.streams import say
from kade2kfp.files import write_atomically
from kade2kfp.resources import read_text

What = Literal["pipeline", "describe", "diagnostics", "rules"]
SHIPPED: dict[What, str] = {
    "pipeline": "schemas/pipeline.v1.json",
    "describe": "schemas/describe.v1.json",
    "diagnostics": "schemas/diagnostics.v1.json",
    "rules": "schemas/rules.v1.json",
}
_EXAMPLES = """\b
Examples:
  kade2kfp schema -o pipeline.v1.json
  kade2kfp schema describe -o describe.v1.json
"""


@click.command("schema", epilog=_EXAMPLES)
@click.argument("what", type=click.Choice(list(SHIPPED)), default="pipeline", metavar="[WHAT]")
@click.option("-o", "--out", type=click.Path(dir_okay=False), help="Write it to a file.")
@click.option("--check", is_flag=True, help="Compare it with the one that kade2kfp ships; exit 1 if they differ.")
@click.pass_context
def command(ctx: click.Context, what: What, out: str | None, check: bool) -> None:
    """Print a JSON Schema, for editors and CI.

    WHAT is `pipeline`, the document format; `rules`, a team's kade2kfp.toml; `describe` or `diagnostics`, what
    `describe --json` and `validate --output-format json` print.
    """
    text = _text(what)
    if check:
        if _shipped(what) != text:
            words = "schema" if what == "pipeline" else f"schema {what}"
            say(f"{SHIPPED[what]} is stale: write it anew by `kade2kfp {words} -o {SHIPPED[what]}`")
            ctx.exit(1)
        return
    if out is not None:
        write_atomically(Path(out), text)
    else:
        write_out(text)


def _text(what: What) -> str:
    if what == "describe":
        from kade2kfp.description.schema import schema_text as of_descriptions

        return of_descriptions()
    if what == "rules":
        from kade2kfp.rules.schema import schema_text as of_rules

        return of_rules()
    if what == "diagnostics":  # written by hand, and compared with what is printed by tests/diagnostics
        return read_text(SHIPPED[what])
    from kade2kfp.document.schema import schema_text
    from kade2kfp.tasks import TASK_TYPES

    return schema_text(TASK_TYPES)


def _shipped(what: What) -> str:
    """The one that is shipped; empty where there is none, as in a checkout where it is new."""
    try:
        return read_text(SHIPPED[what])
    except FileNotFoundError:
        return ""
