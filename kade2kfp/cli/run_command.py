"""kade2kfp run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from kade2kfp.api import Checked, also, for_a_run, validate
from kade2kfp.cli.common import failed, folder_of, read, set_option, show, shown, values, werror_option
from kade2kfp.cli.running import (
    carry_out,
    engine_option,
    jobs_option,
    launch_of,
    output_option,
    readable_secrets,
    secrets_option,
)
from kade2kfp.cli.runs import home_option
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.severity import warnings
from kade2kfp.source import Source

_EXAMPLES = """\b
Examples:
  kade2kfp run pipeline.json
  kade2kfp run pipeline.json --set seed=7 --jobs 4
  kade2kfp run pipeline.json --from train
"""


@click.command("run", epilog=_EXAMPLES)
@click.argument("file", metavar="FILE")
@set_option
@secrets_option
@engine_option
@jobs_option
@click.option("--no-cache", is_flag=True, help="Run every step anew, also those that are unchanged.")
@click.option(
    "--from",
    "from_",
    metavar="TASK",
    multiple=True,
    help="Run this task and what follows; the tasks before it are taken from an earlier run. May be repeated.",
)
@click.option(
    "--only",
    metavar="TASK",
    multiple=True,
    help="Run this task alone; the tasks before it are taken from an earlier run. May be repeated.",
)
@click.option(
    "--base",
    metavar="RUN",
    help="The earlier run that --from and --only take from; else the newest of this pipeline that has what is needed.",
)
@click.option(
    "--volume",
    "volumes",
    metavar="ID=DIR",
    multiple=True,
    help="A folder of this machine in the place of a volume's claim. May be repeated.",
)
@click.option(
    "--copy",
    "copies",
    metavar="URI=PATH",
    multiple=True,
    help="This machine's copy of what an s3://, gs:// or minio:// URI begins with. May be repeated.",
)
@click.option(
    "--readable",
    metavar="DIR",
    multiple=True,
    help="A folder whose files file:// may name, besides the document's own. May be repeated.",
)
@home_option
@output_option
@werror_option
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    pairs: tuple[str, ...],
    secrets: str | None,
    engine: str,
    jobs: int,
    no_cache: bool,
    from_: tuple[str, ...],
    only: tuple[str, ...],
    base: str | None,
    volumes: tuple[str, ...],
    copies: tuple[str, ...],
    readable: tuple[str, ...],
    home: Path,
    output: Literal["text", "json"],
    werror: bool,
) -> None:
    """Run a pipeline on this machine: the steps that Kubeflow would run, without a cluster.

    This executes the commands of the document, each step in a box of its own.
    """
    if from_ and only:
        raise click.UsageError("--from and --only exclude each other.")
    if base and not from_ and not only:
        raise click.UsageError("--base says what --from and --only take from: name a task by one of them.")
    source = read(file)
    given = values(source, pairs)
    checked = for_a_run(validate(source, folder=folder_of(file), values=given))
    objects = readable_secrets(secrets)
    launch = None
    if checked.plan is not None:
        launch, found = launch_of(
            checked,
            objects,
            engine,
            jobs,
            volumes=volumes,
            copies=copies,
            readable=(*readable, str(folder_of(file))),
            from_=from_,
            only=only,
            secrets=secrets,
        )
        checked = also(checked, found)
    if launch is None or not checked.ok or failed(checked.diagnostics, werror=werror):
        show([(source, checked.diagnostics)], output, stream_is_out=output == "json")
        ctx.exit(1)
    _warn(source, checked)
    ctx.exit(carry_out(launch, home, shown(file), output, base=base, read_cache=not no_cache))


def _warn(source: Source, checked: Checked) -> None:
    """Warnings are said before the run; notes are for `validate`."""
    found = warnings(list(checked.diagnostics))
    if found:
        say(f"{terminal(source.file)}: {found} warning{'s' if found > 1 else ''}; `kade2kfp validate` shows them\n")
