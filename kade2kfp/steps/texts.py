"""The texts of a node in which a source may stand, and what is around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from kade2kfp.steps.model import Choice, Import, Loop, Node, Step
from kade2kfp.steps.parts import Branch, EnvValue, SecretMount
from kade2kfp.steps.sources import Source, Text, sources


def node_sources(node: Node) -> Iterator[Source]:
    """Every source that a node needs before it starts, but for those in the names of claims; repeated ones too."""
    if isinstance(node, Choice):
        yield from (one for one in (node.test.left, node.test.right) if isinstance(one, Source))
    elif isinstance(node, Loop):
        yield node.items
    else:
        yield from sources([node.uri] if isinstance(node, Import) else _texts(node))


def _texts(step: Step) -> Iterator[Text]:
    of = step.resources
    yield from (*step.command, step.image, *step.pull_secrets)
    yield from (of.cpu_request, of.cpu_limit, of.memory_request, of.memory_limit, of.accelerator_count)
    for env in step.env:
        yield env.value if isinstance(env, EnvValue) else env.object
    for mount in step.mounts:
        if isinstance(mount, SecretMount):
            yield mount.name
    if step.gate:
        yield step.gate.message
        if step.gate.only_if:
            test = step.gate.only_if
            yield tuple(one for one in (test.left, test.right) if isinstance(one, Source))
    if step.service:
        yield from _texts(step.service.server)


def around(node: Node) -> tuple[str, ...]:
    """The names of the choices and loops that a node is in, the outermost first."""
    return tuple(one.choice if isinstance(one, Branch) else one.loop for one in node.within)


def with_sources(node: Node, change: Callable[[Source], Source]) -> Node:
    """The node with each source in it changed, wherever it stands."""
    changed: Node = _changed(node, change)
    return changed


def _changed(value: Any, change: Callable[[Source], Source]) -> Any:
    if isinstance(value, Source):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_changed(one, change) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in fields(value)}
        new = {name: _changed(one, change) for name, one in found.items()}
        return replace(value, **{name: one for name, one in new.items() if one is not found[name]})
    return value
