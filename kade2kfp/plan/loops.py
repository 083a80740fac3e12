"""The pass that puts what is repeated for a run-time list into loops, and lets the rest of the plan take from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import parallelism, type_of
from kade2kfp.plan.names import slug, unique
from kade2kfp.plan.run_time import loop_of
from kade2kfp.plan.targets import iteration
from kade2kfp.steps.model import Choice, CollectedArtifact, CollectedValue, Import, Join, Loop, Node, Step
from kade2kfp.steps.parts import ArtifactInput, ArtifactOutput, Branch, Iteration
from kade2kfp.steps.sources import Output, Source
from kade2kfp.steps.texts import with_sources
from kade2kfp.tasks.job import LOOP_END

Collected = CollectedValue | CollectedArtifact


@dataclass(frozen=True, slots=True)
class _Made:
    """Loops by the names of the nodes in them, and what they collect so far, by the loop's name and what is collected."""

    loops: Mapping[str, str]
    nodes: Mapping[str, Node]
    tasks: Mapping[str, Task]
    collected: dict[str, dict[tuple[str, str], Collected]]

    def left(self, name: str, around: str) -> str:
        """The loop that a node is in, seen from a node in the loop `around`; empty where that is the same, or none."""
        loop = self.loops.get(name, "")
        return loop if loop != around else ""


def with_loops(views: Mapping[str, Analysis], nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes, with a loop before the first node of each iteration over a run-time list.

    `views` is how the document looks from within each task, by its id.
    """
    given = list(nodes)
    roots = {id_: root for id_, view in views.items() if (root := loop_of(view.document, view.document.task(id_)))}
    if not roots:
        return tuple(given)
    loops = {
        node.name: views[roots[node.task]].names[roots[node.task]] + LOOP_END for node in given if node.task in roots
    }
    made = _Made(
        loops,
        {node.name: node for node in given},
        {task.id: task for view in views.values() for task in view.document.tasks},
        {},
    )
    placed: dict[str, Node] = {}
    for node in given:
        if node.name in loops:
            inner = _repeated(node, loops)
            if loops[node.name] not in placed:
                outer = tuple(inner.within[: inner.within.index(Iteration(loops[node.name]))])
                root = roots[node.task]
                placed[loops[node.name]] = replace(_loop(views[root], root, loops[node.name]), within=outer)
            placed[node.name] = inner
        else:
            placed[node.name] = node
    changed = [_outside(node, made) for node in placed.values()]
    return tuple(
        replace(node, collects=tuple(made.collected.get(node.name, {}).values())) if isinstance(node, Loop) else node
        for node in changed
    )


def _repeated(node: Node, loops: Mapping[str, str]) -> Node:
    """A node in its loop: outer branches first, then the loop, then the branches that are in the loop themselves."""
    outer = tuple(one for one in node.within if isinstance(one, Branch) and one.choice not in loops)
    inner = tuple(one for one in node.within if one not in outer)
    return replace(node, within=(*outer, Iteration(loops[node.name]), *inner))


def _loop(view: Analysis, root: str, name: str) -> Loop:
    task = view.document.task(root)
    found = iteration(view.document, task)
    if task is None or found is None or not isinstance(found[1].items, str):
        raise ValueError(f"{root} is not repeated for a run-time list")
    (items,) = view.resolution.text(found[1].place("items"), found[1].items)
    if not isinstance(items, Source):
        raise ValueError(f"the items of {root} are a text (checks/iterations.py)")
    return Loop(root, name, f"{task.name or root} (all items)", items, parallelism(view, task))


def _outside(node: Node, made: _Made) -> Node:
    """A node that takes from loops what they collect, where it took from nodes in them."""
    around = next((one.loop for one in node.within if isinstance(one, Iteration)), "")

    def source(one: Source) -> Source:
        if not isinstance(one, Output) or not (loop := made.left(one.step, around)):
            return one
        return Output(loop, _value(made, loop, one), "array")

    changed = with_sources(node, source)
    if isinstance(changed, Import):
        return changed
    after = dict.fromkeys(made.left(name, around) or name for name in changed.after)
    changed = replace(changed, after=tuple(after))
    if isinstance(changed, Step):
        return replace(changed, inputs=tuple(_input(made, one, around) for one in changed.inputs))
    if isinstance(changed, Choice):
        return replace(changed, joins=tuple(_join(made, one, around) for one in changed.joins))
    return changed


def _input(made: _Made, one: ArtifactInput, around: str) -> ArtifactInput:
    loop = made.left(one.step, around)
    return replace(one, step=loop, output=_artifact(made, loop, one.step, one.output)) if loop else one


def _join(made: _Made, one: Join, around: str) -> Join:
    ends = []
    for name, output in (one.then, one.otherwise):
        loop = made.left(name, around)
        ends.append((loop, _artifact(made, loop, name, output)) if loop else (name, output))
    return replace(one, then=ends[0], otherwise=ends[1])


def _value(made: _Made, loop: str, output: Output) -> str:
    there = made.collected.setdefault(loop, {})
    key = (output.step, output.name)
    if key not in there:
        task = made.tasks[made.nodes[output.step].task]
        there[key] = CollectedValue(_free(key, there), output.step, output.name, type_of(task, output.name))
    return there[key].name


def _artifact(made: _Made, loop: str, name: str, output: str) -> str:
    there = made.collected.setdefault(loop, {})
    key = (name, output)
    if key not in there:
        node = made.nodes[name]
        outputs = node.outputs if isinstance(node, Step) else ()
        found = next(one for one in outputs if isinstance(one, ArtifactOutput) and one.name == output)
        file = found.path.rpartition("/")[2] if found.kind == "file" else ""
        there[key] = CollectedArtifact(_free(key, there), name, output, found.type, file)
    return there[key].name


def _free(key: tuple[str, str], there: Mapping[tuple[str, str], Collected]) -> str:
    """A name for what is collected; fit for a file's name, too."""
    return unique([slug("-".join(key))], [one.name for one in there.values()])[0]
