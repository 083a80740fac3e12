"""The steps of a run on a cluster as those of a run here (local/state.py): from the tasks of its IR and Argo's nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from kade2kfp.cluster.kfp.nodes import ENDED, FAILED, UNTOLD, Node, Nodes, Path
from kade2kfp.cluster.kfp.tree import Pipeline, Task
from kade2kfp.local.order import TAKEN
from kade2kfp.local.state import WAITS, Attempt, Failure, StepState, StepStatus

ROOT: Path = ("root",)
_NOTHING = frozenset({"branches", "then", "else", "dag"})
"""What is no step, but has some in it."""
_LABEL = 80


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands in a run: `path` of Argo's nodes to the DAG that it is in, `own` what it is called there if
    that is not its name (an item of a loop is), `end` of the names of the steps of an item, `item` as people call it.

    `fate` is what becomes of a step there that has not begun. `around` is the choice or loop that it is in, and
    `collects` whether that is one that collects, whose ParallelFor is no step of its own.
    """

    path: Path
    fate: StepStatus = "waiting"
    note: str = ""
    end: str = ""
    item: str = ""
    loop: str = ""
    number: int = 0
    around: str = ""
    collects: bool = False
    within: tuple[tuple[str, Literal["then", "else"]], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A task of the run: once, or for an item of a loop. `path` is that of its node."""

    task: Task
    state: StepState
    path: Path
    place: Place

    @property
    def is_shown(self) -> bool:
        """Whether people are told of it: of what no document has, only where it failed."""
        return self.task.own or self.state.status == "failed"


def steps_of(pipeline: Pipeline, nodes: Nodes) -> list[Placed]:
    """All steps of a run, in an order in which they can run; those of a loop's items once they are known."""
    ended = nodes.phase in ("Succeeded", "Failed", "Error")
    fate: StepStatus = "waiting" if not ended else "cancelled" if nodes.stopped else "skipped"
    note = "a step before it did not succeed" if fate == "skipped" else ""
    root = nodes.at(ROOT)
    if ended and root is None:
        note = ""
    return list(_all(pipeline.tasks, Place(ROOT, fate, note), nodes))


def _all(tasks: tuple[Task, ...], place: Place, nodes: Nodes) -> Iterator[Placed]:
    beside = {task.name: task for task in tasks}
    for task in tasks:
        yield from _of(task, place, nodes, beside)


def _of(task: Task, place: Place, nodes: Nodes, beside: Mapping[str, Task]) -> Iterator[Placed]:
    base = (*place.path, task.name)
    after = tuple(name + place.end for one in task.after for name in _steps(beside[one]))
    if place.around and place.around + place.end not in after:
        after = (place.around + place.end, *after)
    if task.sort in ("step", "import"):
        yield Placed(task, _step(task, base, place, after, nodes), base, place)
        return
    if task.sort == "loop":
        yield from _loop(task, base, place, after, nodes)
        return
    inner = _inside(task, base, place, nodes)
    if task.sort in ("choice", "loop-group"):
        state = _group(task, base, place, after, nodes)
        yield Placed(task, state, base, place)
        inner = replace(inner, around=task.step, collects=task.sort == "loop-group")
    yield from _all(task.inner, inner, nodes)


def _steps(task: Task) -> Iterator[str]:
    """The names of the steps that a task is, or has in it where it is none."""
    if task.sort in _NOTHING:
        for one in task.inner:
            yield from _steps(one)
    elif task.own:
        yield task.step


def _inside(task: Task, base: Path, place: Place, nodes: Nodes) -> Place:
    """Where the tasks in a DAG stand, and what becomes of them if it never began."""
    node, driver = nodes.at(base), nodes.at((*base[:-1], f"{task.name}-driver"))
    inner = replace(place, path=base)
    if task.sort in ("then", "else") and place.around and not place.collects:
        side: Literal["then", "else"] = "then" if task.sort == "then" else "else"
        inner = replace(inner, within=(*place.within, (place.around + place.end, side)))
    if node is not None and node.phase == "Skipped":
        return replace(inner, fate="not-taken", note="")
    failed = (node is not None and node.phase in ("Omitted", *FAILED)) or (
        driver is not None and driver.phase in ("Omitted", *FAILED)
    )
    if failed and place.fate == "waiting" and (node is None or node.phase in ENDED):
        if nodes.stopped:
            return replace(inner, fate="cancelled", note="")
        return replace(inner, fate="skipped", note="a step before it did not succeed")
    return inner


def _waiting(task: Task, place: Place, after: tuple[str, ...], type_: str) -> StepState:
    return StepState(
        task.step + place.end,
        task.task,
        f"{task.display_name} ({place.item})" if place.item else task.display_name,
        type_,
        place.fate,
        after,
        note=place.note,
        within=place.within,
        loop=place.loop,
        number=place.number,
        node=task.step if place.loop else "",
    )


def _step(task: Task, base: Path, place: Place, after: tuple[str, ...], nodes: Nodes) -> StepState:
    """What became of a step: its driver's pod first, then its own."""
    type_ = "import" if task.sort == "import" else "container"
    state = _waiting(task, place, after, type_)
    driver, node = nodes.at((*base[:-1], f"{task.name}-driver")), nodes.at(base)
    if task.sort == "import":
        return _with_pods(state, node, nodes.pods(base), task, nodes)
    if driver is not None and driver.phase in FAILED:
        return _failed(state, driver, "KFP's driver, which prepares it, failed", nodes)
    if driver is not None and driver.put.get("cached-decision") == "true" and (node is None or node.phase in ENDED):
        return replace(state, status="cached", note="", started=driver.started, ended=driver.ended)
    if node is None and driver is not None and driver.phase not in ENDED:
        why = _said(driver.message) or "KFP's driver looks for its inputs"
        return replace(state, status="running", note=why, started=driver.started)
    if node is None and driver is not None and driver.phase == "Succeeded" and place.fate == "waiting":
        return replace(state, status="running", note="its pod is about to start", started=driver.started)
    if node is None:
        return _left_out(state, driver, nodes)
    pod = (*base, "executor")
    return _with_pods(state, node, nodes.pods(pod), task, nodes)


def _left_out(state: StepState, node: Node | None, nodes: Nodes) -> StepState:
    """A step that has no node, or one that says that it does not run."""
    if node is not None and node.phase == "Skipped":
        return replace(state, status="not-taken", note="")
    if node is not None and node.phase == "Omitted":
        if nodes.stopped:
            return replace(state, status="cancelled", note="")
        return replace(state, status="skipped", note="a step before it did not succeed")
    return state


def _with_pods(state: StepState, node: Node | None, pods: tuple[Node, ...], task: Task, nodes: Nodes) -> StepState:
    """The state of a step with a node, by it and by its pods."""
    if node is None or node.phase in ("Skipped", "Omitted"):
        return _left_out(state, node, nodes)
    begun = [one for one in pods if one.phase != "Pending" and one.started is not None]
    attempts = tuple(
        Attempt(number, one.pod, one.started or 0.0, one.ended, one.exit_code if one.phase in ENDED else None)
        for number, one in enumerate(begun, start=1)
    )
    last = pods[-1] if pods else None
    # The node around the pods is older than they are where the run was gone on with.
    state = replace(state, attempts=attempts, note="", started=begun[0].started if begun else node.started)
    if node.phase == "Succeeded":
        return replace(state, status="succeeded", ended=(last.ended if last else None) or node.ended)
    if node.phase in FAILED:
        failed = last if last is not None and last.phase in FAILED else node
        return _failed(replace(state, ended=node.ended), failed, "", nodes)
    if node.kind == UNTOLD:
        return replace(state, status="running")
    if last is None or last.phase == "Pending":
        return replace(state, status="running", note=_said(last.message if last else "") or "its pod is about to start")
    return replace(state, status="running", note=_asks(task.gate) if task.gate and last.phase == "Running" else "")


def _failed(state: StepState, node: Node, what: str, nodes: Nodes) -> StepState:
    """A step of a node that failed; where the run was stopped, it was stopped with it."""
    state = replace(state, started=state.started or node.started, ended=node.ended, note="")
    said = _said(node.message)
    overdue = "deadline" in said.lower()
    if nodes.stopped and (overdue or not (node.exit_code or "exit code" in said)):
        return replace(state, status="cancelled")
    code = "K714" if what or node.started is None or not state.attempts else "K710"
    if what:  # of the driver, whose exit code says nothing of the command
        pass
    elif "OOMKilled" in said or node.exit_code == 137:
        code, said = "K713", f"it was killed: {said}" if said else "it was killed"
    elif overdue:
        code = "K712"
    elif node.exit_code == 1:  # so does KFP's launcher whatever the command did
        code, said = "K710", "the command failed; its log says why"
    elif node.exit_code:
        said = f"the command exited with code {node.exit_code}" + (
            "" if not said or f"exit code {node.exit_code}" in said else f": {said}"
        )
    message = ": ".join(one for one in (what, said) if one) or "it failed, and Argo does not say why"
    return replace(state, status="failed", failure=Failure(code, message))


def _asks(gate: str) -> str:
    """What the note of a step says that waits for a person: its pod says whether and what it asks (cluster/pods.py)."""
    try:
        said = json.loads(gate)
    except (ValueError, RecursionError):
        return WAITS
    message = said.get("message") if isinstance(said, dict) else None
    return f"{WAITS}: {' '.join(message.split())}" if isinstance(message, str) and message.split() else WAITS


def _said(message: str) -> str:
    """What Argo says of a node in one line, cut."""
    return " ".join(message.split())[:300]


def _group(task: Task, base: Path, place: Place, after: tuple[str, ...], nodes: Nodes) -> StepState:
    """A choice, which ends when a branch is taken, or a loop that collects, which ends with all in it."""
    state = _waiting(task, place, after, "condition" if task.sort == "choice" else "loop")
    driver, node = nodes.at((*base[:-1], f"{task.name}-driver")), nodes.at(base)
    if driver is not None and driver.phase in FAILED:
        return _failed(state, driver, "KFP's driver, which compares, failed", nodes)
    if node is None or node.phase in ("Skipped", "Omitted"):
        begun = driver is not None and driver.phase not in ("Skipped", "Omitted") and place.fate == "waiting"
        return (
            replace(state, status="running", started=driver.started)
            if begun and driver
            else _left_out(state, node, nodes)
        )
    state = replace(state, started=node.started, note="")
    if task.sort == "choice":
        for one, path in _sides(task, base):
            side = nodes.at((*path[:-1], f"{one.name}-driver"))
            if side is not None and side.phase in FAILED:
                return _failed(state, side, "KFP's driver, which compares, failed", nodes)
        taken, when = _taken(task, base, nodes)
        if taken:
            return replace(state, status="succeeded", ended=when or node.ended, outputs={TAKEN: taken})
    elif node.phase in ENDED:
        status: StepStatus = "succeeded" if node.phase == "Succeeded" else "cancelled" if nodes.stopped else "failed"
        return replace(state, status=status, ended=node.ended)
    if node.phase in ENDED:
        return replace(state, status="cancelled" if nodes.stopped else "failed", ended=node.ended)
    return replace(state, status="running")


def _sides(task: Task, base: Path) -> Iterator[tuple[Task, Path]]:
    for one in task.inner:
        if one.sort == "branches":
            yield from _sides(one, (*base, one.name))
        elif one.sort in ("then", "else"):
            yield one, (*base, one.name)


def _taken(task: Task, base: Path, nodes: Nodes) -> tuple[str, float | None]:
    """The side that is taken, and when that was known; empty while it is not."""
    refused = ""
    for one, path in _sides(task, base):
        driver, node = nodes.at((*path[:-1], f"{one.name}-driver")), nodes.at(path)
        when = driver.ended if driver is not None else None
        holds = driver.put.get("condition") if driver is not None and driver.phase == "Succeeded" else None
        if holds == "false" or (node is not None and node.phase == "Skipped"):
            refused = "else" if one.sort == "then" else "then"
        elif holds == "true" or (node is not None and node.phase != "Omitted"):
            return one.sort, when
    return refused, None


def _loop(task: Task, base: Path, place: Place, after: tuple[str, ...], nodes: Nodes) -> Iterator[Placed]:
    """A loop, then the steps of each item; before the items are known, those of the document."""
    node, driver = nodes.at(base), nodes.at((*base, "iteration-driver"))
    items = nodes.items(base)
    count = _count(driver, items)
    name = place.around if place.collects else task.step
    if not place.collects:
        state = _waiting(task, place, after, "loop")
        if driver is not None and driver.phase in FAILED:
            state = _failed(state, driver, "KFP's driver, which reads the items, failed", nodes)
        elif node is not None and node.phase not in ("Skipped", "Omitted"):
            status: StepStatus = "running" if node.phase not in ENDED else "succeeded"
            if node.phase in FAILED:
                status = "cancelled" if nodes.stopped else "failed"
            note = "" if count is None else f"{count} item{'s' if count != 1 else ''}"
            state = replace(state, status=status, started=node.started, ended=node.ended, note=note)
        else:
            state = _left_out(state, node, nodes)
        yield Placed(task, state, base, place)
    inner = replace(_inside(task, base, place, nodes), around=name, collects=False)
    if not items:
        if node is None or node.phase not in ENDED:
            yield from _all(task.inner, inner, nodes)
        return
    for number in items:
        path = (*base, f"iteration-iterations({number})", "iteration-item")
        own = task.items[number] if task.items is not None and number < len(task.items) else None
        here = replace(
            _inside_item(inner, path, nodes),
            path=path,
            end=f"{place.end}-{number}",
            item=", ".join(one for one in (place.item, str(number) if own is None else _label(own)) if one),
            loop=name + place.end,
            number=number,
            around="",
        )
        yield from _all(task.inner, here, nodes)


def _inside_item(inner: Place, path: Path, nodes: Nodes) -> Place:
    driver = nodes.at((*path[:-1], "iteration-item-driver"))
    if driver is not None and driver.phase in FAILED and inner.fate == "waiting":
        return replace(inner, fate="skipped", note=f"KFP's driver failed: {_said(driver.message)}")
    return inner


def _count(driver: Node | None, items: list[int]) -> int | None:
    said = driver.put.get("iteration-count", "") if driver is not None else ""
    return int(said) if said.isdecimal() and len(said) < 9 else len(items) or None


def _label(item: Any) -> str:
    """An item for people, as a run here calls it (local/loops.py)."""
    pairs = item if isinstance(item, dict) else {}
    label = ", ".join(f"{key}={_word(value)}" for key, value in pairs.items()) or _word(item)
    return label if len(label) <= _LABEL else label[: _LABEL - 3] + "..."


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
