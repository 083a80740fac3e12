"""kade2kfp run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

from kade2kfp.api import Checked, also, for_a_run, validate
from kade2kfp.cli.common import failed, folder_of, read, set_option, show, shown, values, werror_option
from kade2kfp.cli.rules import RulesChoice, config_options, rules_for
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

Exit codes: 1 the document is wrong, 3 the run failed, 130 it was stopped.

The JSON is that of `kade2kfp show --output json`; where no run begins, the diagnostics as of `kade2kfp validate`.
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
    help="Run this task and what follows.\n\nThe tasks before it are taken from an earlier run. May be repeated.",
)
@click.option(
    "--only",
    metavar="TASK",
    multiple=True,
    help="Run this task alone.\n\nThe tasks before it are taken from an earlier run. May be repeated.",
)
@click.option(
    "--base",
    metavar="RUN",
    help="The earlier run that --from and --only take from.\n\nElse the newest of this pipeline that has what is needed.",
)
@click.option(
    "--volume",
    "volumes",
    metavar="ID=DIR",
    multiple=True,
    help="A folder in the place of a volume's claim.\n\nIt is one of this machine. May be repeated.",
)
@click.option(
    "--copy",
    "copies",
    metavar="URI=PATH",
    multiple=True,
    help="A copy here of what a URI begins with.\n\nOf s3://, gs:// or minio://. May be repeated.",
)
@click.option(
    "--readable",
    metavar="DIR",
    multiple=True,
    help="A folder whose files file:// may name.\n\nBesides the document's own. May be repeated.",
)
@home_option
@output_option
@werror_option
@config_options
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
    choice: RulesChoice,
) -> None:
    """Run a pipeline on this machine: it executes its commands, without a cluster.

    Each step that Kubeflow would run as a pod is run in a box of its own.
    """
    if from_ and only:
        raise click.UsageError("--from and --only exclude each other.")
    if base and not from_ and not only:
        raise click.UsageError("--base says what --from and --only take from: name a task by one of them.")
    for folder in readable:
        if not os.path.isdir(folder):
            raise click.UsageError(f"--readable: there is no folder '{folder}'.")
    rules = rules_for(file, choice)
    source = read(file)
    given = values(source, pairs)
    checked = for_a_run(validate(source, folder=folder_of(file), values=given, rules=rules))
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
    if launch is None or not checked.ok or failed(checked.diagnostics, werror=werror or rules.werror):
        show([(source, checked.diagnostics)], output, stream_is_out=output == "json")
        ctx.exit(1)
    _warn(source, checked)
    ctx.exit(carry_out(launch, home, shown(file), output, base=base, read_cache=not no_cache))


def _warn(source: Source, checked: Checked) -> None:
    """Warnings are said before the run; notes are for `validate`."""
    found = warnings(list(checked.diagnostics))
    if found:
        say(f"{terminal(source.file)}: {found} warning{'s' if found > 1 else ''}; `kade2kfp validate` shows them\n")
