"""What only a run knows, as the reference that the document would write for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kade2kfp.description.model import Place
from kade2kfp.diagnostics.model import Pointer, pointer_text
from kade2kfp.document.references import Expression, parse
from kade2kfp.plan.resolve import as_text
from kade2kfp.source import Source as File
from kade2kfp.steps.model import CollectedValue, Loop, Node, Plan, Step
from kade2kfp.steps.sources import Arrived, Constant, Item, Output, Param, RunInfo, Source, Text


@dataclass(frozen=True, slots=True)
class Speller:
    """Spells the texts of a plan, whose nodes it has by name."""

    nodes: Mapping[str, Node]

    @staticmethod
    def of(plan: Plan) -> Speller:
        """The speller of a plan."""
        return Speller({node.name: node for node in plan.nodes})

    def text(self, text: Text) -> str:
        """A text as the document would write it: `{{params.image}}`, and `{{{{` for a `{{` of its own."""
        return "".join(part.replace("{{", "{{{{") if isinstance(part, str) else self.source(part) for part in text)

    def source(self, source: Source | Arrived) -> str:
        """One piece of a text that is not literal."""
        match source:
            case Constant(_, value):
                return value.replace("{{", "{{{{")
            case Param(name):
                return f"{{{{params.{name}}}}}"
            case Item(key):
                return f"{{{{item.{key}}}}}" if key is not None else "{{item}}"
            case RunInfo(field):
                return f"{{{{run.{field}}}}}"
            case Output(step, name):
                return self._output(step, name)
        return ""

    def _output(self, step: str, name: str) -> str:
        node = self.nodes[step]
        if isinstance(node, Loop):
            inner = (one for one in node.collects if isinstance(one, CollectedValue) and one.name == name)
            return next((self._output(one.node, one.output) for one in inner), "")
        declared = {one.name for one in node.parameters} if isinstance(node, Step) else set()
        gate = node.gate if isinstance(node, Step) else None
        if gate and name == "decision":
            return f"{{{{tasks.{node.task}.decision}}}}"
        if gate and any(name == f"value-{one.name}" for one in gate.values):
            return f"{{{{tasks.{node.task}.values.{name.removeprefix('value-')}}}}}"
        if name.startswith("metric-") and name not in declared:
            return f"{{{{tasks.{node.task}.metrics.{name.removeprefix('metric-')}}}}}"
        return f"{{{{tasks.{node.task}.outputs.{name}}}}}"


def with_known(value: Any, known: Mapping[str, Any]) -> Any:
    """A value of the document with the known values of parameters in its texts.

    None where it has no reference, or one to something that only a run knows.
    """
    found = _known(value, known)
    return None if found == value else found


def _known(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        made = {key: _known(one, known) for key, one in value.items()}
        return None if any(made[key] is None and value[key] is not None for key in value) else made
    if isinstance(value, list):
        items = [_known(one, known) for one in value]
        return None if None in items and None not in value else items
    if not isinstance(value, str) or "{{" not in value:
        return value
    parts = parse(value)
    if not any(isinstance(part, Expression) for part in parts):
        return value
    texts = [_piece(part, known) for part in parts]
    return None if None in texts else "".join(text for text in texts if text is not None)


def _piece(part: object, known: Mapping[str, Any]) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, Expression) and part.root == "params" and part.name in known:
        return as_text(known[part.name])
    return None


def place(file: File, at: Pointer, *, on_key: bool = False) -> Place:
    """Where something stands in a file."""
    span = file.span(at, on_key=on_key)
    return Place(pointer=pointer_text(at), line=span.line if span else None)
