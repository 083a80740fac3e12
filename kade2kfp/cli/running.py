"""What `run` and `rerun` share: engine, secrets, carrying a run out, and what is said at its end."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal

import click

from kade2kfp.api import Checked, also
from kade2kfp.cli.common import show
from kade2kfp.cli.progress import came_out, progress
from kade2kfp.cli.runs import home_words, labels, state_of, the_run
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.boxes import CannotRunError, Ground
from kade2kfp.local.choose import choose, notices
from kade2kfp.local.engine import Engine
from kade2kfp.local.failures import failures
from kade2kfp.local.folder import Run, all_runs, hold
from kade2kfp.local.order import downstream, loops, upstream
from kade2kfp.local.runner import Cancel, Inbox, Orders, known_of, run_all
from kade2kfp.local.secrets import NO_OBJECTS, Objects, read_secrets
from kade2kfp.local.start import Options, begin, in_the_way, reuse, take_volumes
from kade2kfp.local.state import DONE, RunState, StepState, to_json
from kade2kfp.plan.analysis import Analysis
from kade2kfp.source import Source
from kade2kfp.steps.model import Plan

secrets_option = click.option(
    "--secrets",
    metavar="FILE",
    help="YAML with the secrets and config maps of steps.\n\nIt is never stored. `-` is standard input.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "process", "docker", "podman"]),
    default="auto",
    show_default=True,
    help="What runs the steps.\n\nProcesses of this machine, boxed by bubblewrap, or containers of the steps' images.",
)
jobs_option = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1, 256),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="processors",
    help="How many steps run at the same time.",
)
output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: the run's state at its end, for machines.",
)


class MachineError(click.ClickException):
    """The machine failed, not the document: a full disk, say."""

    exit_code = 3


MOST = 20
"""Results of a step that are said at the end of a run; `show` has all."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A run that nothing stands in the way of."""

    checked: Checked
    analysis: Analysis
    plan: Plan
    engine: Engine
    objects: Objects
    options: Options
    parameters: dict[str, Any]
    chosen: frozenset[str]
    """The steps that are to run."""
    private: tuple[Path, ...]
    """Files that no step may read by file://."""
    taken: frozenset[str]
    """The steps whose results are to be taken from an earlier run."""


def readable_secrets(path: str | None) -> Objects:
    """What `--secrets` names. What is wrong with it is shown without the file's lines, and ends the command."""
    if path is None:
        return NO_OBJECTS
    found = read_secrets(path)
    if isinstance(found, Objects):
        if found.note:
            say(f"note: {terminal(found.note)}")
        return found
    show([(Source(path, ""), found)], "text", stream_is_out=False)
    raise click.exceptions.Exit(2)


def launch_of(
    checked: Checked,
    objects: Objects,
    engine: str,
    jobs: int,
    *,
    volumes: Sequence[str] = (),
    copies: Sequence[str] = (),
    readable: Sequence[str] = (),
    from_: Sequence[str] = (),
    only: Sequence[str] = (),
    done: frozenset[str] = frozenset(),
    secrets: str | None = None,
) -> tuple[Launch | None, list[Diagnostic]]:
    """What a document needs to run here, and what stands in the way of it. The steps `done` are not asked for.

    Raises click.UsageError for options that make no sense.
    """
    if checked.plan is None or checked.analysis is None:
        return None, []
    ids = [claim.id for claim in checked.plan.claims]
    folders = _pairs(volumes, "--volume", "ID=DIR, such as data=./data")
    for id_, folder in folders.items():
        if id_ not in ids:
            hint = did_you_mean(id_, ids, noun="volumes")
            raise click.UsageError(f"--volume: the document has no volume '{id_}': {hint}")
        if not os.path.isdir(folder):
            raise click.UsageError(f"--volume: there is no folder '{folder}'.")
    serving = choose(engine)
    name = engine if isinstance(serving, Diagnostic) else serving.name
    options = Options(
        name,
        jobs,
        folders,
        _pairs(copies, "--copy", "URI=PATH, such as s3://bucket/data=./data"),
        [os.path.abspath(folder) for folder in readable],
    )
    parameters = dict(checked.analysis.known)
    chosen, taken = _chosen(checked.plan, from_, only)
    private = (Path(os.path.abspath(secrets)),) if secrets not in (None, "-") and secrets else ()
    found = list(in_the_way(checked.analysis.document, checked.plan, objects, parameters, options, chosen - done))
    if isinstance(serving, Diagnostic):
        return None, [serving, *found]
    if found:
        return None, found
    return Launch(
        checked, checked.analysis, checked.plan, serving, objects, options, parameters, chosen, private, taken
    ), []


def _pairs(texts: Sequence[str], option: str, form: str) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise click.UsageError(f"{option}: '{text}' is not {form}.")
        found[name] = os.path.abspath(os.path.expanduser(path))
    return found


def carry_out(
    launch: Launch,
    home: Path,
    document: str,
    output: Literal["text", "json"],
    *,
    base: str | None = None,
    read_cache: bool = True,
) -> int:
    """Make a new run and carry it out; the exit code. Raises click.ClickException for what the user can mend."""
    chosen, taken = launch.chosen, launch.taken
    earlier = _base(home, launch.plan, taken, base) if taken else None
    try:
        folder, state = begin(
            home,
            launch.checked.source.text,
            document,
            launch.analysis,
            launch.plan,
            launch.parameters,
            launch.options,
        )
        with hold(folder):
            ground = ground_of(launch, folder, home)
            for step in state.steps:
                if step.name not in chosen and step.name not in taken:
                    state = state.with_step(_left_out(step))
            if earlier is not None and earlier.state is not None:
                state = reuse(state, folder, earlier.state, earlier.folder, taken)
                take_volumes(ground, known_of(state), known_of(earlier.state), earlier.folder, taken)
            return conduct(launch, ground, state, home, output, read_cache=read_cache)
    except LookupError as error:
        raise click.ClickException(f"the earlier run has not done '{error.args[0]}'") from None
    except CannotRunError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise _no_room(error) from None


def _chosen(plan: Plan, from_: Sequence[str], only: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The steps to run, and those to take from an earlier run. Raises click.UsageError where there is no such task."""
    if not from_ and not only:
        return frozenset(node.name for node in plan.nodes), frozenset()
    named = frozenset(name for wanted in (*from_, *only) for name in _steps_of(plan, wanted))
    chosen = downstream(plan, named) if from_ else named
    inner = frozenset(node.name for node in plan.nodes if chosen & loops(node))
    return chosen | inner, upstream(plan, chosen - inner)


def _steps_of(plan: Plan, wanted: str) -> list[str]:
    for field in ("task", "name", "display_name"):
        if found := [node for node in plan.nodes if getattr(node, field) == wanted]:
            # A loop is run as a whole.
            return [next(iter(loops(node)), node.name) for node in found]
    hint = did_you_mean(wanted, [node.task for node in plan.nodes], noun="tasks")
    raise click.UsageError(f"The document has no task '{wanted}': {hint}")


def _base(home: Path, plan: Plan, taken: frozenset[str], wanted: str | None) -> Run:
    """The earlier run to take steps from. Raises click.ClickException."""
    if wanted is not None:
        return _with_state(the_run(home, wanted))
    lacking = ""
    for run in all_runs(home):
        if run.state is not None and run.state.slug == plan.name:
            done = {step.name for step in run.state.steps if step.status in DONE}
            if taken <= done:
                return run
            lacking = lacking or f"; the newest, {run.name}, has not done {', '.join(sorted(taken - done))}"
    raise click.ClickException(
        f"no earlier run of this pipeline has done what comes before ({', '.join(sorted(taken))}){lacking}: run it whole first"
    )


def _with_state(run: Run) -> Run:
    state_of(run)
    return run


def _left_out(step: StepState) -> StepState:
    return replace(step, status="skipped", note="not asked for")


def ground_of(launch: Launch, folder: Path, home: Path) -> Ground:
    """What the boxes of a run stand on."""
    return Ground(
        launch.plan,
        folder,
        home / "volumes",
        launch.objects,
        {id_: Path(path) for id_, path in launch.options.volumes.items()},
        tuple(Path(path) for path in launch.options.readable),
        (*(home / name for name in ("runs", "volumes", "cache", "environments", "services")), *launch.private),
    )


def conduct(
    launch: Launch,
    ground: Ground,
    state: RunState,
    home: Path,
    output: Literal["text", "json"],
    *,
    read_cache: bool = True,
) -> int:
    """Carry out a run whose lock is held, show it, and say how it ended; the exit code.

    Raises click.ClickException where this machine fails, such as by a full disk.
    """
    copies = {start: Path(path) for start, path in launch.options.copies.items()}
    orders = Orders(launch.engine.of_run(state.id), home, launch.options.jobs, read_cache, copies)
    inbox: Inbox = SimpleQueue()
    say(f"run {terminal(state.name)}: the steps execute the document's commands on this machine")
    for notice in notices(launch.plan, launch.engine):
        say(f"note: {terminal(notice)}")

    def resume(state: RunState, step: StepState) -> str:
        return _typed(home, "resume", state.name, step.task)

    try:
        # Signals last, so that Ctrl-C also ends the wait for a reader that does not read.
        with progress(ground.folder, resume=resume) as tell, _signals(inbox):
            state = run_all(state, ground, orders, inbox, tell)
    except OSError as error:
        raise _no_room(error) from None
    if output == "json":
        out(to_json(state))
    else:
        _say_end(launch, state, home)
    return {"succeeded": 0, "cancelled": 130}.get(state.status, 3)


@contextmanager
def _signals(inbox: Inbox) -> Iterator[None]:
    """Ctrl-C and a request to end become messages to the runner.

    By a thread that reads their numbers, not by handlers: those run in the main thread, which waits for messages, and of
    two signals at the same moment Linux gives one to another thread (kernel/signal.c, complete_signal), which does not
    end that wait.
    """
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    read, write = os.pipe()
    os.set_blocking(write, False)  # as set_wakeup_fd wants it

    def listen() -> None:
        while os.read(read, 1):
            inbox.put(Cancel())

    listener = Thread(target=listen, daemon=True)
    listener.start()
    earlier = signal.set_wakeup_fd(write)
    before = {number: signal.signal(number, lambda *_: None) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier)
        os.close(write)
        listener.join()
        os.close(read)


def _typed(home: Path, *words: str) -> str:
    """What is to be typed about a run of this home."""
    return terminal(shlex.join(["kade2kfp", *words, *home_words(home)]))


def _say_end(launch: Launch, state: RunState, home: Path) -> None:
    found = list(failures(state, launch.analysis.document))
    if found:
        checked = also(replace(launch.checked, diagnostics=()), found)
        show([(checked.source, checked.diagnostics)], "text", stream_is_out=False)
    names = labels(state.steps)
    for step in state.steps:
        if step.status in DONE and (results := came_out(step)):
            more = f", and {len(results) - MOST:,} more" if len(results) > MOST else ""
            out(f"{terminal(names[step.name])}: {', '.join(results[:MOST])}{more}\n")
    if state.note:
        say(f"{state.status}: {terminal(state.note)}")
    say(f"all of it: {_typed(home, 'show', state.name)}")
    if state.status == "failed":
        options = launch.options
        # Without them it would be another run, or none; values may be long, so they are not repeated.
        given = any(state.parameters.get(one.name) != one.default for one in launch.analysis.document.parameters)
        same = ", with the same options" if given or launch.private or options.volumes or options.copies else ""
        say(f"once it is mended: {_typed(home, 'run', state.document)}{same} (unchanged tasks come from the cache)")
        say(f"or, for a fault that passes by itself: {_typed(home, 'rerun', state.name, '--failed')}")
    elif state.status == "cancelled":
        say(f"to go on: {_typed(home, 'rerun', state.name)}")


def _no_room(error: OSError) -> MachineError:
    what = f"{error.filename}: " if error.filename else ""
    return MachineError(f"this machine failed: {what}{(error.strerror or str(error)).lower()}")
