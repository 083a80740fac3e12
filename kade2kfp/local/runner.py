"""The runner: starts what may start, keeps the run's state, and ends what must end. One thread owns the state."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty as NothingYet
from queue import SimpleQueue

from kade2kfp.local.attempt import Boxes, Work, run_step
from kade2kfp.local.boxes import Ground, text_of
from kade2kfp.local.choices import artifact_of, decided
from kade2kfp.local.engine import GRACE, Engine
from kade2kfp.local.loops import begun, closed, known_in, lacking, names_seen, node_of
from kade2kfp.local.order import next_move, was
from kade2kfp.local.places import Known
from kade2kfp.local.services.view import Viewers
from kade2kfp.local.services.view import closed as viewers_closed
from kade2kfp.local.state import DONE, Artifact, Failure, Outcome, RunState, RunStatus, StepState, to_json
from kade2kfp.local.trees import UnfitError, measure
from kade2kfp.steps.model import Choice, Import, Loop, Node, Step
from kade2kfp.steps.parts import Kind
from kade2kfp.steps.sources import Json


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants the run to end: the first asks the steps to end, the second ends them.

    After the first the exit task runs, as after KFP's stop; after the second it does not.
    """


@dataclass(frozen=True, slots=True)
class _Told:
    """A step's new state, from its thread; `bug` is the traceback of an error of ours."""

    state: StepState
    bug: str = ""


Inbox = SimpleQueue[Cancel | _Told]


@dataclass(frozen=True, slots=True)
class Orders:
    """How a run is to be run. `copies` are this machine's copies of what imports name, by the beginning of their URI."""

    engine: Engine
    home: Path
    jobs: int
    read_cache: bool = True
    copies: Mapping[str, Path] | None = None
    viewers: Viewers = field(default_factory=Viewers)


class BugError(Exception):
    """An error of ours in a step's thread; the text is its traceback."""


def run_all(
    state: RunState, ground: Ground, orders: Orders, inbox: Inbox, watch: Callable[[RunState], None]
) -> RunState:
    """Run all steps that wait, until none can start any more, and then the exit task.

    Args:
        state: the run, whose lock the caller holds. Steps that are not to run have ended already.
        ground: what the boxes stand on.
        orders: how to run.
        inbox: where `Cancel` is put, from a signal's handler too.
        watch: called with each new state, the last one included, on this thread.

    Raises:
        OSError: the state cannot be written. What ran is ended.
        BugError: our own fault. What ran is ended.
    """
    boxes = Boxes()
    always = frozenset(node.name for node in ground.plan.nodes if isinstance(node, Step) and node.always)
    nodes = {node.name: node for node in ground.plan.nodes}
    running: set[str] = set()
    limit = ground.plan.timeout
    deadline = time.monotonic() + limit if limit else None
    overdue = insisted = False
    last = ground.plan.on_exit
    waiting, viewers = _who_wait(ground), _viewers(ground)
    with ThreadPoolExecutor(max_workers=orders.jobs + len(waiting), thread_name_prefix="step") as pool:
        try:
            _write(state, ground.folder, "run", state.status)
            watch(state)
            while True:
                if not boxes.cancelled.is_set():
                    state = _advance(state, always, orders, ground, nodes, running, pool, boxes, inbox, watch)
                if running and all((state.step(name).node or name) in viewers for name in running):
                    # They are being prepared, and nobody would see them any more.
                    orders.viewers.over.set()
                if not running:
                    if state.outcome:
                        break
                    why = f"the pipeline's timeout of {limit} s was over" if overdue else "the run was cancelled"
                    state = _judged(state, last, why, cancelled=boxes.cancelled.is_set(), overdue=overdue)
                    if insisted:
                        break
                    # What has ended the others does not end the exit task.
                    boxes, deadline = Boxes(), None
                    continue
                message = _next(inbox, deadline)
                if message is None or isinstance(message, Cancel):
                    overdue = overdue or (message is None and not boxes.cancelled.is_set())
                    insisted = insisted or (isinstance(message, Cancel) and boxes.cancelled.is_set())
                    deadline = _end(boxes)
                    continue
                if message.bug:
                    raise BugError(message.bug)
                state = state.with_step(message.state)
                if message.state.status != "running":
                    running.discard(message.state.name)
                _write(state, ground.folder, message.state.name, message.state.status)
                watch(state)
        except BaseException:
            boxes.kill()
            raise
        finally:
            orders.viewers.end()
    state = viewers_closed(_close(state, last), viewers)
    _write(state, ground.folder, "run", state.status)
    watch(state)
    return state


def _advance(
    state: RunState,
    always: frozenset[str],
    orders: Orders,
    ground: Ground,
    nodes: Mapping[str, Node],
    running: set[str],
    pool: ThreadPoolExecutor,
    boxes: Boxes,
    inbox: Inbox,
    watch: Callable[[RunState], None],
) -> RunState:
    """Start and skip all that can be, as far as there are free places."""
    while True:
        of_items = frozenset(step.name for step in state.steps if step.node in always)
        move = next_move(state, always | of_items, ground.plan.on_exit)
        ends = [(name, replace(state.step(name), status="skipped", note=reason)) for name, reason in move.skip]
        ends += [(name, replace(state.step(name), status="not-taken")) for name in move.passed]
        ends += [(name, _closed(nodes[name], state, ground, nodes)) for name in move.close]
        for name, ended in ends:
            state = state.with_step(ended)
            _write(state, ground.folder, name, ended.status)
            watch(state)
        # Who waits for a person keeps nobody else waiting.
        waits = _who_wait(ground)
        # Nor does what takes no time of its own.
        waits |= {name for name in move.start if (state.step(name).node or name) in _viewers(ground)}
        waits |= {name for name in move.start if not isinstance(node_of(state.step(name), nodes), Step)}
        working = [name for name in move.start if name not in waits]
        room = max(0, orders.jobs - len(running - waits))
        free = [name for name in move.start if name in waits or name in working[:room]]
        for name in free:
            node = node_of(state.step(name), nodes)
            started = replace(state.step(name), status="running", started=time.time(), ended=None, failure=None)
            if isinstance(node, Import):
                state = state.with_step(_imported(node, started, orders, known_of(state)))
                _write(state, ground.folder, name, "succeeded")
            elif isinstance(node, Loop):
                state = begun(node, started, state, ground.plan, known_of(state))
                _write(state, ground.folder, name, "running")
            elif failure := lacking(node, known_in(started, state, nodes, known_of(state))):
                state = state.with_step(replace(started, status="failed", ended=time.time(), failure=failure))
                _write(state, ground.folder, name, "failed")
            elif isinstance(node, Choice):
                state = state.with_step(decided(node, started, known_in(started, state, nodes, known_of(state))))
                _write(state, ground.folder, name, "succeeded")
            else:
                state = state.with_step(started)
                _write(state, ground.folder, name, "running")
                running.add(name)
                pool.submit(_thread, _work(node, started, state, ground, orders, nodes), started, boxes, inbox)
            watch(state)
        if not ends and all(name in running for name in free):
            return state


def _who_wait(ground: Ground) -> frozenset[str]:
    waiting = {node.name for node in ground.plan.nodes if isinstance(node, Step) and node.gate}
    return _viewers(ground) | waiting


def _viewers(ground: Ground) -> frozenset[str]:
    steps = [node for node in ground.plan.nodes if isinstance(node, Step)]
    return frozenset(step.name for step in steps if step.service and step.service.kind == "viewer")


def _thread(work: Work, state: StepState, boxes: Boxes, inbox: Inbox) -> None:
    try:
        inbox.put(_Told(run_step(work, state, boxes, lambda new: inbox.put(_Told(new)))))
    except BaseException:
        inbox.put(_Told(state, traceback.format_exc()))


def _closed(loop: Node, state: RunState, ground: Ground, nodes: Mapping[str, Node]) -> StepState:
    if not isinstance(loop, Loop):
        raise TypeError(f"{loop.name} is no loop")
    return closed(loop, state, nodes, known_of(state), ground.folder)


def _work(
    step: Step, own: StepState, state: RunState, ground: Ground, orders: Orders, nodes: Mapping[str, Node]
) -> Work:
    inputs, digests = {}, {}
    for arrived in step.inputs:
        artifact = artifact_of((arrived.step, arrived.output), state, nodes, names_seen(own, state))
        if artifact is not None:
            inputs[arrived.name] = ground.folder / artifact.stored
            digests[arrived.name] = artifact.digest
    known = known_in(own, state, nodes, known_of(state))
    return Work(
        replace(step, name=own.name),
        ground,
        known,
        inputs,
        digests,
        orders.engine,
        orders.home,
        orders.read_cache,
        viewers=orders.viewers,
    )


def known_of(state: RunState) -> Known:
    """The values of a run so far."""
    outputs: dict[str, Mapping[str, Json]] = {step.name: step.outputs for step in state.steps if step.status in DONE}
    return Known(state.id, state.name, state.parameters, outputs, state.outcome)


def copy_of(uri: str, copies: Mapping[str, Path]) -> Path | None:
    """This machine's copy of what a URI names: of the longest beginning that is given. `..` leads nowhere."""
    if ".." in uri.split("/"):
        return None
    for start in sorted(copies, key=len, reverse=True):
        if uri == start or uri.startswith(start.rstrip("/") + "/"):
            rest = uri[len(start) :].strip("/")
            return copies[start] / rest if rest else copies[start]
    return None


def _imported(node: Import, state: StepState, orders: Orders, known: Known) -> StepState:
    uri = text_of(node.uri, known)
    path = copy_of(uri, orders.copies or {})
    if path is None:
        raise KeyError(f"start.py lets no import pass that has no copy: {uri}")
    try:
        size = measure(path)
    except UnfitError as error:
        failure = Failure("K703", f"the copy {path} cannot serve: {error}", "links and the like cannot be copied")
        return replace(state, status="failed", ended=time.time(), failure=failure)
    kind: Kind = "directory" if path.is_dir() else "file"
    artifact = Artifact("artifact", uri, kind, node.type, str(path.absolute()), size.files, size.size, size.digest)
    return replace(state, status="succeeded", ended=time.time(), artifacts=(artifact,), note=f"from {path}")


def _next(inbox: Inbox, deadline: float | None) -> Cancel | _Told | None:
    """The next message; None where the deadline came first."""
    try:
        return inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
    except NothingYet:
        return None


def _end(boxes: Boxes) -> float:
    """Ask all boxes to end; end them where that was done before. Returns when they are to be ended at the latest."""
    if boxes.cancelled.is_set():
        boxes.kill()
    else:
        boxes.terminate()
    return time.monotonic() + GRACE


def _judged(state: RunState, last: str, why: str, *, cancelled: bool, overdue: bool) -> RunState:
    """The state with how all but the exit task has ended."""
    others = [step for step in state.steps if step.name != last]
    statuses = {step.status for step in others}
    for step in others:
        if step.status == "running":  # a loop, which nothing goes on with
            state = state.with_step(replace(step, status="cancelled", ended=time.time()))
        if step.status == "waiting":
            state = state.with_step(replace(step, status="skipped", note=why))
    # The wish to end may come when all has ended already.
    stopped = cancelled and bool(statuses & {"waiting", "cancelled"})
    failed = "failed" in statuses or (stopped and overdue)
    outcome: Outcome = "cancelled" if stopped and not overdue else "failed" if failed else "succeeded"
    return replace(state, outcome=outcome, note=why if stopped else "")


def _close(state: RunState, last: str) -> RunState:
    """The state of a run that is over. An exit task that fails fails the run; else the run has ended as the others have."""
    status: RunStatus = state.outcome or "failed"
    note = state.note
    step = next((step for step in state.steps if step.name == last), None)
    if step is not None and step.status == "waiting":
        step = replace(step, status="skipped", note="the run was cancelled twice")
        state = state.with_step(step)
    if step is not None and step.status in ("failed", "cancelled"):
        status = step.status if status == "succeeded" else status
        note = "; ".join(part for part in (note, f"the exit task {step.display_name} {was(step)}") if part)
    return replace(state, status=status, ended=time.time(), note=note)


def _write(state: RunState, folder: Path, what: str, status: str) -> None:
    """Replace the stored state, and add a line to the log of events. Raises OSError."""
    temporary = folder / "state.json.new"
    temporary.write_text(to_json(state), encoding="utf-8")
    os.replace(temporary, folder / "state.json")
    event = {"time": round(time.time(), 3), "what": what, "status": status}
    with open(folder / "events.jsonl", "a", encoding="utf-8") as events:
        events.write(json.dumps(event) + "\n")
