"""kade2kfp describe."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from kade2kfp.cli.common import folder_of, read, set_option, show, values
from kade2kfp.cli.rules import RulesChoice, config_options, rules_for
from kade2kfp.cli.streams import out, say

if TYPE_CHECKING:
    from kade2kfp.description.model import Description

_EXAMPLES = """\b
Examples:
  kade2kfp describe pipeline.json
  kade2kfp describe pipeline.json --task train
  kade2kfp describe pipeline.json --json
"""
_NARROWEST, _WIDEST = 60, 120


@click.command("describe", epilog=_EXAMPLES)
@click.argument("file", metavar="FILE")
@click.option("--task", "ids", multiple=True, metavar="ID", help="One task in full. May be repeated.")
@click.option("--json", "as_data", is_flag=True, help="All of it as JSON: `kade2kfp schema describe`.")
@set_option
@config_options
@click.pass_context
def command(
    ctx: click.Context, file: str, ids: tuple[str, ...], as_data: bool, pairs: tuple[str, ...], choice: RulesChoice
) -> None:
    """Say what a pipeline is and needs: its tasks and what each takes from where, arrows, images, volumes, secrets.

    `-` reads standard input. Nothing is compiled, and no cluster is asked.
    """
    from kade2kfp.api import validate

    rules = rules_for(file, choice)
    source = read(file)
    checked = validate(source, folder=folder_of(file), values=values(source, pairs), rules=rules)
    if checked.plan is None or checked.analysis is None:
        show([(source, checked.diagnostics)], "text", stream_is_out=False)
        ctx.exit(1)
    from kade2kfp.description.build import description

    found = description(source, checked.analysis, checked.plan, mirrored=bool(rules.policy.mirror))
    out(_as_data(found, ids) if as_data else _as_text(found, ids))
    if checked.diagnostics and not as_data:
        say("`kade2kfp validate` has something to say about it")


def _as_data(found: Description, ids: tuple[str, ...]) -> str:
    from kade2kfp.description.schema import as_json

    if ids:
        _known(found, ids)
        found = found.model_copy(update={"tasks": [task for task in found.tasks if task.id in ids]})
    return as_json(found)


def _as_text(found: Description, ids: tuple[str, ...]) -> str:
    from kade2kfp.description.full import in_full
    from kade2kfp.description.text import overview

    columns = min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST)
    if not ids:
        return overview(found, columns)
    _known(found, ids)
    by_id = {task.id: task for task in found.tasks}
    return "\n".join(in_full(found, by_id[id_], columns) for id_ in dict.fromkeys(ids))


def _known(found: Description, ids: tuple[str, ...]) -> None:
    """Raises click.BadParameter where a task is named that is not there."""
    from kade2kfp.document.suggest import did_you_mean

    there = [task.id for task in found.tasks]
    for id_ in ids:
        if id_ not in there:
            help_ = did_you_mean(id_, there, noun="tasks") or "`kade2kfp describe FILE` lists them"
            raise click.BadParameter(f"there is no task `{id_}`: {help_}", param_hint="--task")
