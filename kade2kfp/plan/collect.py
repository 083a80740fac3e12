"""The pass that adds the steps which bring the values of all items together, where no text can do it.

Numbers and the like become an array as text: `[`, a value, `,`, a value, `]`. Texts would need JSON's quotes, which no
placeholder of KFP's writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import type_of
from kade2kfp.steps.model import Node, Step
from kade2kfp.steps.parts import ParameterOutput, Scheduling
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Output, Text
from kade2kfp.steps.texts import node_sources

_FOLDER = "/kade/collect"


def with_collects(
    analysis: Analysis, nodes: Iterable[Node], image: Text, scheduling: Scheduling, pull_secrets: tuple[Text, ...]
) -> tuple[Node, ...]:
    """The nodes, and behind those of a repeated task the step that collects what is referred to of it.

    The last three are what the pods of the toolbox have.
    """
    given = list(nodes)
    tasks = {name: id_ for id_, name in analysis.sweeps.collects.items()}
    wanted: dict[str, list[str]] = {}
    for source in (source for node in given for source in node_sources(node)) if tasks else ():
        if isinstance(source, Output) and source.step in tasks:
            names = wanted.setdefault(tasks[source.step], [])
            names += [source.name] if source.name not in names else []
    result: list[Node] = []
    for node, following in zip(given, [*given[1:], None], strict=False):
        result.append(node)
        if node.task in wanted and (following is None or following.task != node.task):
            result.append(_collect(analysis, node, wanted[node.task], image, scheduling, pull_secrets))
    return tuple(result)


def _collect(
    analysis: Analysis,
    last: Node,
    names: list[str],
    image: Text,
    scheduling: Scheduling,
    pull_secrets: tuple[Text, ...],
) -> Step:
    """The step that collects outputs of a task; `last` is one of the task's nodes. Outputs lie in no inner branch."""
    task = next(one for one in analysis.document.tasks if one.id == last.task)
    display_name = f"{task.name or task.id} (all values)"
    return Step(
        task=task.id,
        name=analysis.sweeps.collects[task.id],
        display_name=display_name,
        image=image,
        command=(("python3",), ("-c",), (embed_python("collect.py"),), *_words(analysis, task.id, names)),
        type="collect",
        scratch=(_FOLDER,),
        parameters=tuple(ParameterOutput(name, f"{_FOLDER}/{number}", "array") for number, name in enumerate(names)),
        scheduling=scheduling,
        pull_secrets=pull_secrets,
        cache_key="",
        within=last.within,
    )


def _words(analysis: Analysis, id_: str, names: list[str]) -> Iterator[Text]:
    """The arguments of templates/collect.py."""
    task = next(one for one in analysis.document.tasks if one.id == id_)
    turns = analysis.sweeps.turns[id_]
    yield (str(len(turns)),)
    for number, name in enumerate(names):
        kind = type_of(task, name)
        yield (f"{_FOLDER}/{number}",)
        yield ("text" if kind == "string" else "json",)
        yield from ((Output(turn.steps[id_], name, kind),) for turn in turns)
