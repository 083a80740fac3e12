"""kade2kfp schema."""

from __future__ import annotations

from pathlib import Path

import click

from kade2kfp.cli.streams import out as write_out
from kade2kfp.cli.streams import say
from kade2kfp.document.schema import schema_text
from kade2kfp.files import write_atomically
from kade2kfp.resources import read_text
from kade2kfp.tasks import TASK_TYPES

SHIPPED = "schemas/pipeline.v1.json"


@click.command("schema", epilog="\b\nExample:\n  kade2kfp schema -o pipeline.v1.json")
@click.option("-o", "--out", type=click.Path(dir_okay=False), help="Write it to a file.")
@click.option("--check", is_flag=True, help="Compare it with the one that kade2kfp ships; exit 1 if they differ.")
@click.pass_context
def command(ctx: click.Context, out: str | None, check: bool) -> None:
    """Print the JSON Schema of the document format, for editors and CI."""
    text = schema_text(TASK_TYPES)
    if check:
        if read_text(SHIPPED) != text:
            say(f"{SHIPPED} is stale: write it anew by `kade2kfp schema -o {SHIPPED}`")
            ctx.exit(1)
        return
    if out is not None:
        write_atomically(Path(out), text)
    else:
        write_out(text)
