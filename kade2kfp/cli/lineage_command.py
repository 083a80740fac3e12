"""kade2kfp lineage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.lineage_text import as_json, mermaid, trees
from kade2kfp.cli.progress import short_value
from kade2kfp.cli.runs import home_option, labels, state_of, the_run, the_steps
from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.state import RunState

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.local.lineage import Lineage

_EXAMPLES = """\b
Examples:
  kade2kfp lineage last
  kade2kfp lineage last/train/model
  kade2kfp lineage minio://mlpipeline/v2/iris/3f2a/model --cluster
  kade2kfp lineage last --output mermaid

The JSON has `things` (`id`, `kind`: step, artifact or parameter, `task`, `step`, `name`, `note`, `where`) and `ways` (`from`,
`to`, and `value` where the value of an output went along).
"""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What RUN|ARTIFACT means: a run; of one, an artifact by its task and name, or by where it is."""

    run: str
    task: str = ""
    name: str = ""
    where: str = ""


@click.command("lineage", epilog=_EXAMPLES)
@click.argument("what", metavar="RUN|ARTIFACT")
@click.option(
    "--output",
    type=click.Choice(["tree", "mermaid", "json"]),
    default="tree",
    show_default=True,
    help="How it is written.",
)
@home_option
@kfp_options
def command(what: str, output: str, home: Path, place: Place) -> None:
    """Say what an artifact was made of, by what, and what used it; or all of a run.

    An ARTIFACT is RUN/TASK/NAME, as `artifacts` lists them, or its path or URI.
    """
    if place.on_cluster:
        with place.kfp() as kfp:
            asked, state, lineage = _on_cluster(kfp, what)
    else:
        asked, state, lineage = _here(home, what)
    start = _start(asked, state, lineage) if asked.task or asked.where else None
    names = labels(state.steps)
    shown = lineage.around(start) if start is not None else lineage
    if output == "json":
        out(as_json(shown, {"id": state.id, "name": state.name, "pipeline": state.pipeline, "status": state.status}))
    elif output == "mermaid":
        out(mermaid(shown, names))
    else:
        out(trees(shown, names, start))


def _here(home: Path, what: str) -> tuple[_Asked, RunState, Lineage]:
    from kade2kfp.api import for_a_run, load, validate
    from kade2kfp.local.lineage import Lineage, local_lineage, made, things_of

    asked = _by_path(home, what) or _by_name(what)
    found = the_run(home, asked.run)
    state = state_of(found)
    files = found.folder / "files"
    checked = for_a_run(validate(load(found.folder / "pipeline.json"), folder=files, values=state.parameters))
    if checked.plan is None:  # it was made by another version of this program
        return asked, state, Lineage.of(things_of(state, _values(state)), made(state))
    return asked, state, local_lineage(state, checked.plan, _values(state))


def _on_cluster(kfp: Kfp, what: str) -> tuple[_Asked, RunState, Lineage]:
    from kade2kfp.cli.cluster_runs import detail_of
    from kade2kfp.cluster.kfp.lineage import cluster_lineage

    asked = _by_uri(what) if "://" in what else _by_name(what)
    detail = detail_of(kfp, asked.run, values=True)
    return asked, detail.state, cluster_lineage(detail, _values(detail.state))


def _by_name(what: str) -> _Asked:
    parts = what.rsplit("/", 2)
    return _Asked(parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) else _Asked(what)


def _by_path(home: Path, what: str) -> _Asked | None:
    """An artifact of a run below `home` by its path; None where it is none."""
    path, runs = Path(what).absolute(), (home / "runs").absolute()
    if "/" not in what or not path.is_relative_to(runs):
        return None
    run, *rest = path.relative_to(runs).parts or ("",)
    return _Asked(run, where=str(Path(*rest))) if rest else _Asked(run)


def _by_uri(what: str) -> _Asked:
    """An artifact by its URI, in which KFP writes the id of the run (backend/src/v2/driver/driver.go, provisionOutputs)."""
    found = _UUID.search(what)
    if found is None:
        raise CannotDoError(f"{what} says no run", "name it as RUN/TASK/NAME, as `kade2kfp artifacts RUN` lists them")
    return _Asked(found[0], where=what.rstrip("/"))


def _values(state: RunState) -> Mapping[str, str]:
    return {name: short_value(value, 60) for name, value in state.parameters.items()}


def _start(asked: _Asked, state: RunState, lineage: Lineage) -> str:
    """The id of the artifact that is asked for. Raises click.ClickException where there is none."""
    artifacts = {key: one for key, one in lineage.things.items() if one.kind == "artifact"}
    if asked.where:
        found = [key for key, one in artifacts.items() if f"{asked.where}/".startswith(f"{one.where}/")]
    else:
        steps = {one.name for one in the_steps(state, asked.task)}
        found = [key for key, one in artifacts.items() if one.step in steps and one.name == asked.name]
    if len(found) == 1:
        return found[0]
    wanted = asked.where or f"{asked.task}/{asked.name}"
    if found:
        several = ", ".join(f"{lineage.things[key].step}/{lineage.things[key].name}" for key in found[:5])
        raise click.ClickException(f"{wanted} fits {len(found)} artifacts: {several}")
    known = [f"{one.step}/{one.name}" for one in artifacts.values()]
    hint = did_you_mean(wanted, known, noun="artifacts") if known else "it left none that is known"
    raise click.ClickException(f"the run {state.name} has no artifact '{wanted}'" + (f": {hint}" if hint else ""))
