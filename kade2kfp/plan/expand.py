"""The pass that repeats tasks for known items: how the document looks from within the step of each item.

From within, the tasks of the iteration are those of the item, and so is what arrows and references bring from them. From
outside, an arrow brings what each item's step gives, in a folder for each, and a reference means an array.
"""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.references import Expression, parse
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis, index
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.resolve import Reference, as_text
from kade2kfp.plan.run_time import arriving
from kade2kfp.plan.targets import outputs_of
from kade2kfp.plan.turns import Turn
from kade2kfp.plan.walk import Place
from kade2kfp.steps.parts import EmbeddedFile
from kade2kfp.steps.sources import Arrived, Constant, Item, Output, Source, Text, Type, literal
from kade2kfp.tasks.job import ForEach
from kade2kfp.tasks.notebook import Notebook

INDEX = "index.json"
"""The file that says which folder is which item's."""
_COMMAND = ("command", "script", "args")


@dataclass(frozen=True, slots=True)
class _Changing:
    """A text that is another one for each item, or that means what all items put out; and who holds it."""

    place: Place
    holder: str
    whole: Reference | None


def expand(analysis: Analysis) -> Mapping[str, tuple[Analysis, ...]]:
    """For each task, by its id, how the document looks from within its steps: one view for each item, in their order.

    A task that is not repeated has one.
    """
    tasks = [task.id for task in analysis.document.tasks]
    turns = analysis.sweeps.turns
    if not turns:
        return dict.fromkeys(tasks, (analysis,))
    changing = list(_changing(analysis))
    outer = _view(analysis, None, frozenset(tasks) - turns.keys(), changing)
    views: dict[int, tuple[Analysis, ...]] = {}
    for id_ in turns:
        members = frozenset(one for one in turns if turns[one] is turns[id_])
        if id(turns[id_]) not in views:
            views[id(turns[id_])] = tuple(_view(analysis, turn, members, changing) for turn in turns[id_])
    return {id_: views[id(turns[id_])] if id_ in turns else (outer,) for id_ in tasks}


def _changing(analysis: Analysis) -> Iterator[_Changing]:
    for reference in analysis.resolution.references:
        of_item = isinstance(reference.target.source, Item) and reference.holder in analysis.sweeps.turns
        if of_item or reference.target.task in analysis.sweeps.turns:
            whole = analysis.resolution.whole.get(reference.place.pointer)
            yield _Changing(reference.place, reference.holder, whole)


def _view(analysis: Analysis, turn: Turn | None, members: frozenset[str], changing: Iterable[_Changing]) -> Analysis:
    resolution = analysis.resolution
    run_texts: dict[Pointer, Text] = {}
    compiled: dict[Pointer, str] = {}
    items: dict[Pointer, Any] = {}
    for one in changing:
        at = one.place.pointer
        mine = turn is not None and one.holder in members
        if at in resolution.run_texts and at not in run_texts:
            run_texts[at] = tuple(_filled(analysis, one, turn, mine))
        if turn and mine and at in resolution.compiled:
            compiled[at] = _compiled(analysis, one.place, turn)
        if turn and mine and one.whole and isinstance(one.whole.target.source, Item):
            items[at] = _typed(_item(turn, one.whole.target.source.key), one.whole.target.type)
    arrows = tuple(_seen(analysis, turn, members))
    return replace(
        analysis,
        names={**analysis.names, **(turn.steps if turn else {})},
        resolution=replace(
            resolution,
            run_texts=ChainMap(run_texts, dict(resolution.run_texts)),
            compiled=ChainMap(compiled, dict(resolution.compiled)),
            items=items,
        ),
        flows=arrows,
        from_task=index(arrows, lambda flow: flow.giver),
        to_task=index(tuple(arriving(analysis.document, flow) for flow in arrows), lambda flow: flow.taker),
        turn=turn,
    )


def _filled(analysis: Analysis, one: _Changing, turn: Turn | None, mine: bool) -> Iterator[str | Source | Arrived]:
    """The pieces of a text, no two literals beside each other."""
    written = ""
    for part in analysis.resolution.run_texts[one.place.pointer]:
        for piece in _meant(analysis, one.place, part, turn, mine) if isinstance(part, Item | Output) else (part,):
            if isinstance(piece, str):
                written += piece
                continue
            if written:
                yield written
            written = ""
            yield piece
    if written:
        yield written


def _meant(analysis: Analysis, place: Place, source: Item | Output, turn: Turn | None, mine: bool) -> Text:
    """What an item, or an output of a task that may be repeated, is from within an item, or from outside of all."""
    if isinstance(source, Item):
        if not turn or not mine:
            return (source,)
        value = as_text(_item(turn, source.key))
        named = f"item-{source.key}" if source.key else "item"
        return (Constant(named, value) if place.field in _COMMAND else value,)
    giver = next((id_ for id_ in analysis.sweeps.turns if analysis.names[id_] == source.step), None)
    if giver is None:
        return (source,)
    if turn and giver in turn.steps:
        return (replace(source, step=turn.steps[giver]),)
    task = analysis.document.task(giver)
    kind = type_of(task, source.name) if task else "string"
    if kind == "string" or _keeps_type(place):
        return (Output(analysis.sweeps.collects[giver], source.name, "array"),)
    values = (Output(one.steps[giver], source.name, kind) for one in analysis.sweeps.turns[giver])
    return ("[", *(part for number, one in enumerate(values) for part in ((",", one) if number else (one,))), "]")


def _keeps_type(place: Place) -> bool:
    """Whether a value is wanted there rather than its text, which no text put together from several is."""
    return (place.model, place.field) in ((ForEach, "items"), (Notebook, "parameters"))


def type_of(task: Task, output: str) -> Type:
    """The type of one step's output, by its name in the plan."""
    return "number" if output.startswith("metric-") else outputs_of(task).get(output, "string")


def _item(turn: Turn, key: str | None) -> Any:
    return turn.item if key is None else turn.item[key]


def _typed(value: Any, type_: Type) -> Any:
    """The value; where items are of several types, its text."""
    return as_text(value) if type_ == "string" else value


def _compiled(analysis: Analysis, place: Place, turn: Turn) -> str:
    """A text that is put together at compile, with the item in it."""
    return "".join(
        piece
        if isinstance(piece, str)
        else as_text(_item(turn, piece.name or None) if piece.root == "item" else analysis.known[piece.name])
        for piece in parse(place.text)
        if isinstance(piece, str | Expression)
    )


def item_texts(analysis: Analysis) -> Iterator[tuple[Place, Turn, str]]:
    """Each text of the document that holds a known item and nothing that only a run can tell, with the item put in."""
    seen: set[Pointer] = set()
    for one in _changing(analysis):
        at = one.place.pointer
        if at in seen or one.holder not in analysis.sweeps.turns:
            continue
        seen.add(at)
        for turn in analysis.sweeps.turns[one.holder]:
            if at in analysis.resolution.compiled:
                yield one.place, turn, _compiled(analysis, one.place, turn)
            elif at in analysis.resolution.run_texts:
                text = literal(tuple(_filled(analysis, one, turn, mine=True)))
                if text is not None:
                    yield one.place, turn, text


def _seen(analysis: Analysis, turn: Turn | None, members: frozenset[str]) -> Iterator[Flow]:
    """The arrows of some tasks: from each item's step by itself where the giver is repeated elsewhere."""
    for flow in analysis.flows:
        if flow.taker.id not in members and flow.giver.id not in members:
            continue
        if turn and flow.giver.id in turn.steps:
            yield replace(flow, turn=turn)
        elif flow.giver.id not in analysis.sweeps.turns:
            yield flow
        elif flow.taker.id in members:
            for one in analysis.sweeps.turns[flow.giver.id]:
                yield replace(flow, turn=one, to_path=_own_path(flow, one))


def _own_path(flow: Flow, turn: Turn) -> str:
    """Where an item's data is among that of all: in a folder of the item's name."""
    top = (flow.arrow.to_path or "").rstrip("/")
    return (
        f"{top}/{turn.name}{flow.to_path[len(top) :]}" if flow.to_path and flow.taker.type != "select" else flow.to_path
    )


def indexes_of(analysis: Analysis, coming: Iterable[Flow]) -> Iterator[EmbeddedFile]:
    """For each path at which the data of all items arrives, the file that says which folder is which item's."""
    found: dict[str, dict[str, Turn]] = {}
    for flow in coming:
        if flow.turn and flow.turn is not analysis.turn:
            found.setdefault(flow.arrow.to_path or "", {})[flow.turn.name] = flow.turn
    for path, turns in found.items():
        rows = [{"item": one.item, "path": one.name, "name": one.label} for one in turns.values()]
        yield EmbeddedFile(f"{path.rstrip('/')}/{INDEX}", (json.dumps(rows, ensure_ascii=False) + "\n").encode())


def parallelism(analysis: Analysis, task: Task) -> int:
    """How many of a task's steps may run at the same time; 0 is no limit."""
    each: ForEach | None = getattr(task, "for_each", None)
    if each is None or each.parallelism is None:
        return 0
    text = analysis.resolution.compile_text(each.place("parallelism"), str(each.parallelism))
    return int(text) if text.isdecimal() else 0


def earlier_turn(analysis: Analysis, task: Task) -> Turn | None:
    """The item whose step has to end before that of the view's item begins, so that not too many run at the same time.

    Lanes are all that KFP has for tasks that are no loop of its own. What ends wrong holds up its lane.
    """
    at_once = parallelism(analysis, task)
    if analysis.turn is None or not at_once or analysis.turn.number < at_once:
        return None
    return analysis.sweeps.turns[task.id][analysis.turn.number - at_once]
