"""kade2kfp/v1beta1 to kade2kfp/v1 (docs/editing.md has both beside each other).

edges: [{"from": {"task", "path"}, "to": {"task", "path"}}]   arrows: [{"fromTask", "fromPath", "toTask", "toPath"}]
params                                                        parameters
kind, of a task                                               type
envVars: {NAME: value}, of a task and of the defaults         env: [{"name": NAME, "value": value}]
"""

from __future__ import annotations

import json

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.rewrite.changes import Changes, Look, renamed
from kade2kfp.rewrite.tree import Node, Number, Tree
from kade2kfp.source.mistakes import shown

_ENDS = {"from": {"task": "fromTask", "path": "fromPath"}, "to": {"task": "toTask", "path": "toPath"}}


def upgrade(document: Node, changes: Changes) -> Node:
    """The document in the words of kade2kfp/v1; what is not known stays as it is, where it is."""
    parts: Node = {}
    for name, value in document.items():
        if name == "edges" and isinstance(value, list):
            parts[name] = [_arrow(one, (name, i), changes) for i, one in enumerate(value)]
        elif name == "tasks" and isinstance(value, list):
            parts[name] = [_task(one, (name, i), changes) for i, one in enumerate(value)]
        elif name == "defaults" and isinstance(value, dict):
            parts[name] = _env(value, (name,), changes)
        else:
            parts[name] = value
    parts = renamed(parts, "edges", "arrows", (), changes)
    return renamed(parts, "params", "parameters", (), changes)


def _task(task: Tree, at: Pointer, changes: Changes) -> Tree:
    if not isinstance(task, dict):
        return task
    return _env(renamed(task, "kind", "type", at, changes), at, changes)


def _arrow(edge: Tree, at: Pointer, changes: Changes) -> Tree:
    """The two ends of an edge as fields of its own; what else stands in an end goes with them."""
    if not isinstance(edge, dict):
        return edge
    arrow: Node = {}
    stands: dict[str, Pointer] = {name: (*at, name) for name in edge if name not in _ENDS}
    for name, value in edge.items():
        if name not in _ENDS:
            arrow[name] = value
            continue
        words, task = _ENDS[name], _ENDS[name]["task"]
        if value is None:
            value = {"task": None}  # as good as absent, which is said of `fromTask`
        if not isinstance(value, dict):
            message = f"`{name}` of an edge is an object with `task` and `path`"
            help_ = f'write it as {{"task": "...", "path": "..."}}, or leave it out and write `{task}`'
            changes.conflict(message, (*at, name), help_)
            continue
        changes.note(f"`{name}` of an edge is now `{task}` and `{words['path']}`")
        for part, item in value.items():
            new = words.get(part, part)
            if new in stands:
                message = f"{shown(part)} in `{name}` becomes {shown(new)} of the arrow, which is there already"
                changes.conflict(message, (*at, name, part), "leave one of them out", stands[new])
            stands[new] = (*at, name, part)
            arrow[new] = item
    return arrow


def _env(owner: Node, at: Pointer, changes: Changes) -> Node:
    """A task or the defaults with its variables as a list: Kubernetes' form, which has values of other kinds, too."""
    given = owner.get("envVars")
    if isinstance(given, dict):
        variables = enumerate(given.items())
        owner = owner | {"envVars": [_variable(i, name, one, at, changes) for i, (name, one) in variables]}
    elif given is not None:
        help_ = 'write it as {"NAME": "value"}, or leave it out and write `env`'
        changes.conflict("`envVars` is an object of names and values", (*at, "envVars"), help_)
    return renamed(owner, "envVars", "env", at, changes)


def _variable(i: int, name: str, value: Tree, at: Pointer, changes: Changes) -> Node:
    """The i-th variable of the task or defaults that stands at `at`."""
    if isinstance(value, str):
        return {"name": name, "value": value}
    if isinstance(value, dict):
        return {"name": name, "valueFrom": value}
    if isinstance(value, list):
        there = (*at, "envVars", name)
        changes.conflict(f"the value of {shown(name)} is a list", there, "a variable is a text: write it as one")
        return {}
    place = (*at, "env", i, "value")
    if value is None:
        changes.looks.append(Look(f"{shown(name)} was `null`: it is now set, and empty", place))
        return {"name": name, "value": None}
    text = value.text if isinstance(value, Number) else "true" if value else "false"
    changes.looks.append(Look(f"{shown(name)} was {shown(text)}: it is now the text {shown(json.dumps(text))}", place))
    return {"name": name, "value": text}
