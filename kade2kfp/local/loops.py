"""Loops of a run on this machine: the steps that are made for the items, and what is collected of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kade2kfp.local.choices import artifact_of
from kade2kfp.local.folder import safe_name
from kade2kfp.local.order import waiting
from kade2kfp.local.places import Known
from kade2kfp.local.state import DONE, Artifact, Failure, RunState, StepState
from kade2kfp.local.text import item_text, value_text
from kade2kfp.local.trees import hand_on, measure, remove
from kade2kfp.plan.names import free
from kade2kfp.steps.model import CollectedArtifact, CollectedValue, Loop, Node, Plan
from kade2kfp.steps.sources import Item, Json
from kade2kfp.steps.texts import around, node_sources

if TYPE_CHECKING:
    from pydantic import JsonValue

_MAX_LABEL = 80


def node_of(step: StepState, nodes: Mapping[str, Node]) -> Node:
    """The node of the plan that a step is, or was made of for an item."""
    return nodes[step.node or step.name]


def names_seen(step: StepState, state: RunState) -> Mapping[str, str]:
    """The names of the steps made for the same item, by the names of their nodes."""
    if not step.loop:
        return {}
    return {one.node: one.name for one in state.steps if (one.loop, one.number) == (step.loop, step.number)}


def known_in(step: StepState, state: RunState, nodes: Mapping[str, Node], known: Known) -> Known:
    """What is known to a step: in a loop its item, and under the names of nodes what they put out for it."""
    loop = nodes.get(step.loop)
    if not isinstance(loop, Loop):
        return known
    own = {node: known.outputs[name] for node, name in names_seen(step, state).items() if name in known.outputs}
    return replace(known, outputs={**known.outputs, **own}, item=_items(loop, known)[step.number])


def lacking(node: Node, known: Known) -> Failure | None:
    """Why a node cannot be carried out for its item: the item has no such key."""
    for source in node_sources(node):
        if isinstance(source, Item):
            try:
                item_text(known.item, source.key)
            except KeyError:
                shown = item_text(known.item, None)
                shown = shown if len(shown) <= 80 else shown[:77] + "..."
                help_ = "give each item of the list that key; KFP's driver would fail for it, too"
                return Failure("K725", f"the item {shown} has no `{source.key}`", help_)
    return None


def _items(loop: Loop, known: Known) -> list[Json]:
    items = known.value(loop.items)
    if not isinstance(items, list):
        raise TypeError(f"the items of {loop.name} are no array (checks/reference_types.py)")
    return items


def _as_handed_over(items: list[Json]) -> list[Json]:
    """The items as KFP hands them to a step: keys sorted, and numbers without a point where they are whole."""
    found: list[Json] = json.loads(value_text(items))
    return found


def begun(loop: Loop, started: StepState, state: RunState, plan: Plan, known: Known) -> RunState:
    """The state with the loop `started`, and behind it a step for each node of it and each item.

    Those that an earlier start of the run has made already stay as they are.
    """
    there = {step.name: step for step in state.steps if step.loop == loop.name}
    items = _items(loop, known)
    note = f"{len(items)} item{'s' if len(items) != 1 else ''}"
    made = [there.get(step.name, step) for step in _steps(loop, plan, _as_handed_over(items))]
    steps: list[StepState] = []
    for step in state.steps:
        if step.name == loop.name:
            steps += [replace(started, note=note), *made]
        elif step.loop != loop.name:
            steps.append(step)
    return replace(state, steps=tuple(steps))


def _steps(loop: Loop, plan: Plan, items: list[Json]) -> Iterator[StepState]:
    nodes = [node for node in plan.nodes if loop.name in around(node)]
    taken = {node.name for node in plan.nodes}
    for number, item in enumerate(items):
        names: dict[str, str] = {}
        for node in nodes:
            names[node.name] = free(f"{node.name}-{number}", taken)
            taken.add(names[node.name])
        for node in nodes:
            step = waiting(node, plan)
            yield replace(
                step,
                name=names[node.name],
                display_name=f"{step.display_name} ({_label(item)})",
                after=tuple(names[name] for name in step.after if name in names),
                within=tuple((names.get(choice, choice), side) for choice, side in step.within),
                loop=loop.name,
                number=number,
                node=node.name,
            )


def _label(item: Json) -> str:
    """An item for people, as templates/collect_items.py writes it."""
    pairs = item if isinstance(item, dict) else {}
    label = ", ".join(f"{key}={_word(value)}" for key, value in pairs.items()) or _word(item)
    return label if len(label) <= _MAX_LABEL else label[: _MAX_LABEL - 3] + "..."


def _word(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def closed(loop: Loop, state: RunState, nodes: Mapping[str, Node], known: Known, folder: Path) -> StepState:
    """The state of a loop whose steps have all ended, with what it collects in the run's folder."""
    step = state.step(loop.name)
    step = replace(step, ended=time.time())
    own = [one for one in state.steps if one.loop == loop.name]
    failed = {one.number for one in own if one.status in ("failed", "skipped")}
    count = len(_items(loop, known))
    if any(one.status == "cancelled" for one in own):
        return replace(step, status="cancelled")
    if failed:
        return replace(step, status="failed", note=f"failed for {len(failed)} of {count} items")
    try:
        artifacts = tuple(
            _brought(one, loop, state, nodes, known, folder)
            for one in loop.collects
            if isinstance(one, CollectedArtifact)
        )
    except OSError as error:
        what = f"what the items have left cannot be brought together: {error.strerror or error}"
        return replace(step, status="failed", failure=Failure("K719", what))
    outputs: dict[str, JsonValue] = {
        one.name: _values(one, loop, state) for one in loop.collects if isinstance(one, CollectedValue)
    }
    return replace(step, status="succeeded", artifacts=artifacts, outputs=outputs)


def _of_items(loop: Loop, node: str, state: RunState) -> list[StepState]:
    """The steps made of a node, in the order of the items."""
    found = [step for step in state.steps if step.loop == loop.name and step.node == node]
    return sorted(found, key=lambda step: step.number)


def _values(one: CollectedValue, loop: Loop, state: RunState) -> list[JsonValue]:
    return [step.outputs[one.output] for step in _of_items(loop, one.node, state) if step.status in DONE]


def _brought(
    one: CollectedArtifact, loop: Loop, state: RunState, nodes: Mapping[str, Node], known: Known, folder: Path
) -> Artifact:
    """The folder with all items' artifacts, as templates/collect_items.py makes it."""
    stored = Path("artifacts", safe_name(loop.name), safe_name(one.name))
    target = folder / stored
    remove(target)
    target.mkdir(parents=True)
    path = ""
    rows: list[Json] = []
    items = _as_handed_over(_items(loop, known))
    for step in _of_items(loop, one.node, state):
        number = str(step.number)
        found = artifact_of((one.node, one.output), state, nodes, names_seen(step, state))
        if found is not None and found.files:
            path = found.path
            hand_on(folder / found.stored, target / number / one.file if one.file else target / number)
        rows.append({"item": items[step.number], "path": number, "name": _label(items[step.number])})
    (target / "index.json").write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")
    size = measure(target)
    return Artifact(one.name, path, "directory", one.type, str(stored), size.files, size.size, size.digest)
