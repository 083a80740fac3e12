"""kade2kfp bento."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from kade2kfp.api import validate
from kade2kfp.cli.common import failed, folder_of, read, set_option, show, values, werror_option
from kade2kfp.cli.rules import rules_for
from kade2kfp.cli.runs import home_option
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.boxes import CannotRunError, Ground, box_of
from kade2kfp.local.choose import choose
from kade2kfp.local.engine import Bind, Box, CannotStartError, Engine
from kade2kfp.local.environments import environment
from kade2kfp.local.environments.errors import EnvironmentFailedError
from kade2kfp.local.logs import LogEnd, pump
from kade2kfp.local.places import Known
from kade2kfp.local.secrets import NO_OBJECTS
from kade2kfp.local.services.make import version_name
from kade2kfp.local.trees import remove
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import EnvValue
from kade2kfp.tasks.bento import own_of, with_own
from kade2kfp.tasks.serving import FILES

_EXAMPLES = """\b
Examples:
  kade2kfp bento pipeline.json serve --model model.joblib -o iris
"""
_OURS = "kade2kfp: "
_ABOUT_COMMAND = ("kade2kfp: the command exited ", "kade2kfp: the command was killed ")
_SHOWN = 15


@click.command("bento", epilog=_EXAMPLES)
@click.argument("file", metavar="FILE")
@click.argument("task", metavar="TASK")
@click.option(
    "--model",
    "models",
    metavar="PATH",
    multiple=True,
    help="A model, in the place of what an arrow brings.\n\nA file or folder; several in the arrows' order.",
)
@click.option("--output", "-o", "folder", metavar="DIR", required=True, help="The folder to make.")
@set_option
@home_option
@werror_option
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    task: str,
    models: tuple[str, ...],
    folder: str,
    pairs: tuple[str, ...],
    home: Path,
    werror: bool,
) -> None:
    """Build the Bento of a serving here: a folder with a Dockerfile.

    This executes the document's pack.py and service.py, in a box.
    """
    rules = rules_for(file)
    source = read(file)
    checked = validate(source, folder=folder_of(file), values=values(source, pairs), rules=rules)
    if checked.plan is None or checked.analysis is None or failed(checked.diagnostics, werror=werror or rules.werror):
        show([(source, checked.diagnostics)], "text", stream_is_out=False)
        ctx.exit(1)
    step = _serving(checked.plan, task)
    binds = _binds(step, models)
    target = _target(folder)
    engine = choose("process")
    if isinstance(engine, Diagnostic):
        raise click.ClickException(f"{engine.message}: {engine.help}")
    version = version_name()
    known = Known(version, version, dict(checked.analysis.known), {})
    try:
        with _folder(target) as work, _stopping():
            made = _build(checked.plan, step, known, binds, work, home, engine)
            os.rename(made, target)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise click.ClickException(f"{terminal(os.fsdecode(error.filename or folder))}: {what}") from None
    shown = terminal(shlex.quote(folder))
    out(f"{shown}\n")
    name = step.service.name if step.service else step.name
    say(f"its image is built by: docker build -t {name}:{version} {shown}")


def _serving(plan: Plan, wanted: str) -> Step:
    """The step of a serving, by its task's id, its own name or the name that is shown. Raises click.UsageError."""
    steps = [node for node in plan.nodes if isinstance(node, Step)]
    servings = [step for step in steps if step.service and step.service.kind == "serving"]
    for field in ("task", "name", "display_name"):
        for step in servings:
            if getattr(step, field) == wanted:
                return step
    if any(wanted in (step.task, step.name, step.display_name) for step in steps):
        raise click.UsageError(f"The task '{wanted}' is no serving.")
    hint = did_you_mean(wanted, [step.task for step in servings], noun="servings")
    raise click.UsageError(f"The document has no serving '{wanted}': {hint}")


def _binds(step: Step, models: Sequence[str]) -> tuple[Bind, ...]:
    """The models where pack.py looks for them. Raises click.UsageError."""
    words = ["".join(map(str, word)) for word in step.command]
    places = [word for before, word in pairwise(words) if before == "--model"]
    if len(places) != len(models):
        many = f"{len(places)} models" if len(places) != 1 else "one model"
        for_what = f", for what arrives at {', '.join(places)}" if places else ""
        raise click.UsageError(f"The task takes {many}{for_what}; --model is given {len(models)} times.")
    for model in models:
        if not os.path.exists(model):
            raise click.UsageError(f"--model: there is no file or folder '{model}'.")
    return tuple(
        Bind(Path(model).resolve(), place, read_only=True) for model, place in zip(models, places, strict=True)
    )


def _target(folder: str) -> Path:
    """Where the Bento goes to: nothing is there yet, or an empty folder. Raises click.UsageError."""
    target = Path(os.path.abspath(folder))
    try:
        if os.path.lexists(target) and (target.is_symlink() or not target.is_dir() or any(target.iterdir())):
            raise click.UsageError(f"--output: '{folder}' is there, and not an empty folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise click.UsageError(f"--output: '{os.fsdecode(error.filename or folder)}': {what}.") from None
    return target


@contextmanager
def _folder(target: Path) -> Iterator[Path]:
    """A folder to work in, on the disk of the target: so what is made there need not be copied."""
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield work
    finally:
        with suppress(OSError):
            remove(work)


@contextmanager
def _stopping() -> Iterator[None]:
    """Let a signal end what has been started, and remove what has been made."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise click.exceptions.Exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _build(
    plan: Plan, step: Step, known: Known, models: tuple[Bind, ...], work: Path, home: Path, engine: Engine
) -> Path:
    """The folder of the Bento, with a Dockerfile at its top. Raises click.ClickException, OSError."""
    say(f"{_OURS}building executes the document's files on this machine")
    try:
        with open(work / "packages.log", "wb") as log:
            python = environment(home, step.requirements, log=log.fileno(), cancelled=threading.Event())
        box = _box(plan, step, known, models, work, python)
        code, end = _in_box(box, engine, work / "log")
    except EnvironmentFailedError as error:
        _show(error.tail)
        raise click.ClickException(f"{error}: {error.help}" if error.help else str(error)) from None
    except (CannotRunError, CannotStartError) as error:
        raise click.ClickException(f"{error}: {error.help}" if error.help else str(error)) from None
    if code:
        _show(row for row in end.tail if not row.startswith(_OURS))
        # The last line is step.sh's, if it is about the command; the one before is templates/pack.py's.
        said = [row for row in end.tail if row.startswith(_OURS) and not row.startswith(_ABOUT_COMMAND)]
        raise click.ClickException(said[-1].removeprefix(_OURS) if said else f"packing ended with code {code}")
    made = work / "into" / known.run_id / "bento"
    _with_dockerfile(made, step)
    return made


def _with_dockerfile(made: Path, step: Step) -> None:
    """Put the Dockerfile at the top, and the task's own packages among those that it installs."""
    # What the document's code has left may be links to anywhere.
    dockerfile, packages = (made.resolve() / "env" / name for name in ("docker/Dockerfile", "python/requirements.txt"))
    for file in (dockerfile, packages):
        if file.resolve() != file or not file.is_file():
            raise click.ClickException(f"the Bento has no {file.relative_to(made.resolve())}")
    if os.path.lexists(made / "Dockerfile"):
        raise click.ClickException("the Bento has a Dockerfile already, and this one would take its place")
    shutil.copyfile(dockerfile, made / "Dockerfile")
    files = {file.path.removeprefix(f"{FILES}/"): file.content for file in step.files}
    text = packages.read_text(encoding="utf-8", errors="surrogateescape")
    own = own_of(files, step.requirements)
    packages.write_text(with_own(text, own), encoding="utf-8", errors="surrogateescape")


def _show(rows: Sequence[str] | Iterator[str]) -> None:
    for row in list(rows)[-_SHOWN:]:
        say(terminal(row))


def _box(plan: Plan, step: Step, known: Known, models: tuple[Bind, ...], work: Path, python: Path) -> Box:
    """The box that packs. It sees the models and the folder that it packs into, and no volume or secret."""
    (words,) = [word for before, word in pairwise(step.command) if before == ("--into",)]
    into = Bind(work / "into", "".join(map(str, words)))
    scratch = work / "scratch"
    for folder in (into.source, scratch):
        folder.mkdir()
    bare = replace(
        step,
        env=tuple(one for one in step.env if isinstance(one, EnvValue)),
        mounts=(),
        inputs=(),
        outputs=(),
        service=None,
        pull_secrets=(),
    )
    ground = Ground(plan, work, work / "volumes", NO_OBJECTS)
    try:
        box = box_of(bare, ground, known, {}, scratch=scratch, python=python)
    except KeyError as error:
        raise CannotRunError(
            "", f"the task's variables need '{error.args[0]}'", "if it is a parameter, give it by --set"
        ) from None
    mounts = sorted((*box.mounts, into, *models), key=lambda mount: mount.path.count("/"))
    return replace(box, mounts=tuple(mounts), env={**box.env, "KADE2KFP_VERSION": known.run_id})


def _in_box(box: Box, engine: Engine, log: Path) -> tuple[int, LogEnd]:
    """The exit code, and how the log ended."""
    source, sink = os.pipe()
    ends: list[LogEnd] = []
    reader = threading.Thread(target=lambda: ends.append(pump(source, log, ())), daemon=True)
    try:
        try:
            running = engine.start(box, sink)
        finally:
            os.close(sink)
        reader.start()
        try:
            code = running.wait(None)
        finally:
            running.kill()
            reader.join()
            running.close()
    finally:
        os.close(source)
    return code or 0, ends[0]
