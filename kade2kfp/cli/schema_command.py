"""kade2kfp schema."""

from __future__ import annotations

from pathlib import Path

import click

from kade2kfp.document.schema import schema_text
from kade2kfp.files import write_atomically
from kade2kfp.resources import read_text
from kade2kfp.tasks import TASK_TYPES

SHIPPED = "schemas/pipeline.v1.json"


@click.command("schema")
@click.option("-o", "--out", type=click.Path(dir_okay=False), help="Write it to a file.")
@click.option("--check", is_flag=True, help="Compare it with the one that kade2kfp ships; exit 1 if they differ.")
@click.pass_context
def command(ctx: click.Context, out: str | None, check: bool) -> None:
    r"""Print the JSON Schema of the document format, for editors and CI.

    \b
    kade2kfp schema -o schemas/pipeline.v1.json
    """
    text = schema_text(TASK_TYPES)
    if check:
        if read_text(SHIPPED) != text:
            click.echo(f"{SHIPPED} is stale: write it anew by `kade2kfp schema -o {SHIPPED}`", err=True)
            ctx.exit(1)
        return
    if out is not None:
        write_atomically(Path(out), text)
    else:
        click.echo(text, nl=False)
