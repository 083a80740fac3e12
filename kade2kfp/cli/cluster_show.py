"""`show` on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kade2kfp.cli.cluster_runs import detail_of
from kade2kfp.cli.following import resume_command, tail_of
from kade2kfp.cli.kfp import Place
from kade2kfp.cli.progress import waits
from kade2kfp.cli.runs import labels, the_steps
from kade2kfp.cli.show_command import Origin, tell, write_page
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.state import StepState

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.runs import Detail

_MOST_LOGS = 10
_MOST_HINTS = 20


def show_on_cluster(place: Place, run: str, task: str | None, output: str, html: str | None) -> None:
    """Print a run of a cluster, or write its page to the file `html`. Raises CannotDoError, click.ClickException."""
    with place.kfp() as kfp:
        detail = detail_of(kfp, run, values=True)
        state = detail.state
        if html is not None:
            failed = [step for step in state.steps if step.status == "failed" and step.attempts]
            write_page(state, {step.name: tail_of(kfp, detail, step) for step in failed[:_MOST_LOGS]}, html)
            return
        tell(Origin(None, kfp.target.run_url(state.id)), state, task, output)
        if output == "text":
            _hints(place, kfp, detail, the_steps(state, task))


def _hints(place: Place, kfp: Kfp, detail: Detail, steps: Sequence[StepState]) -> None:
    """Say what can be typed now for these steps."""
    state = detail.state
    names = labels(state.steps)
    for step in [step for step in steps if waits(step)][:_MOST_HINTS]:
        say(f"{terminal(names[step.name])} waits; to go on: {resume_command(kfp, state.id, detail, step)}")
    failed = next((step for step in steps if step.status == "failed" and step.attempts), None)
    if failed is not None:
        say(f"its log: {place.command('logs', state.id, names[failed.name])}")
