"""The pass that finds every reference, says what it names and of which type, and puts in what is known at compile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.base import Model, Takes, alias, fields_by_alias, takes
from kade2kfp.document.pipeline import Parameter
from kade2kfp.document.read import Document
from kade2kfp.document.references import Expression, Misfit, parse
from kade2kfp.document.shared import Task
from kade2kfp.document.suggest import closest
from kade2kfp.document.values import problems as value_problems
from kade2kfp.plan.lost import Lost, lost
from kade2kfp.plan.targets import Target, find
from kade2kfp.plan.walk import Place, texts
from kade2kfp.steps.sources import Param, Text

Known = Mapping[str, Any]
"""Values of parameters that are known at compile: defaults, and what --set gives."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference of the document that names something that exists."""

    place: Place
    expression: Expression
    target: Target
    holder: str
    """The id of the task that holds it; empty for the pipeline's own fields."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the references of a document mean."""

    references: tuple[Reference, ...]
    run_texts: Mapping[Pointer, Text] = field(default_factory=dict)
    compiled: Mapping[Pointer, str] = field(default_factory=dict)
    whole: Mapping[Pointer, Reference] = field(default_factory=dict)
    """References that are their field's whole string."""
    settled: Mapping[Pointer, Place] = field(default_factory=dict)
    """Places with a `{{` of which nothing is in doubt: no mistake, and at compile no item of an iteration."""
    items: Mapping[Pointer, Any] = field(default_factory=dict)
    """Values of known items, where a reference to one is its field's whole string and keeps its type."""
    lost: tuple[Lost, ...] = ()
    """References that were meant and not written."""

    def text(self, pointer: Pointer, raw: str | None) -> Text:
        """The text of a field that takes references at run time."""
        if pointer in self.run_texts:
            return self.run_texts[pointer]
        return (raw,) if raw else ()

    def compile_text(self, pointer: Pointer, raw: str) -> str:
        """The text of a field that takes references at compile time."""
        return self.compiled.get(pointer, raw)


def known_values(document: Document, given: Known) -> dict[str, Any]:
    """Values known at compile: each parameter's default, or what `given` says instead."""
    values = {parameter.name: parameter.default for parameter in document.parameters if parameter.given("default")}
    return values | {name: value for name, value in given.items() if any(p.name == name for p in document.parameters)}


def resolve(document: Document, names: Mapping[str, str], given: Known) -> tuple[Resolution, list[Diagnostic]]:
    """All references of the document, typed; `names` are the steps' names by task id."""
    known = known_values(document, given)
    references: list[Reference] = []
    run_texts: dict[Pointer, Text] = {}
    compiled: dict[Pointer, str] = {}
    whole: dict[Pointer, Reference] = {}
    settled: dict[Pointer, Place] = {}
    found: list[Diagnostic] = []
    lost_ones: list[Lost] = []
    declared, tasks = {one.name for one in document.parameters}, {one.id for one in document.tasks}
    for holder, place in _places(document):
        lost_ones += lost(document, holder, place, declared, tasks)
        if "{{" not in place.text:
            continue
        pieces = parse(place.text)
        if place.takes is Takes.NEVER:
            found.append(_not_here(place, holder))
            continue
        if place.takes is Takes.LITERAL:
            if any(isinstance(piece, Expression) for piece in pieces):
                found.append(_not_here(place, holder))
            continue
        parts: list[Any] = []
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(piece)
            elif isinstance(piece, Misfit):
                found.append(_misfit(document, place, piece))
            else:
                reference, problem = _reference(document, names, holder, place, piece)
                if problem:
                    found.append(problem)
                elif reference:
                    references.append(reference)
                    parts.append(reference)
                    if len(pieces) == 1:
                        whole[place.pointer] = reference
        if place.takes is Takes.RUN:
            run_texts[place.pointer] = tuple(
                part if isinstance(part, str) else part.target.source
                for part in parts
                if isinstance(part, str) or part.target.source
            )
            if len(parts) == len(pieces):
                settled[place.pointer] = place
        else:
            text, problems = _compile(document, place, parts, known)
            found += problems
            if text is not None and not problems and len(parts) == len(pieces):
                compiled[place.pointer] = text
                if all(isinstance(part, str) or isinstance(part.target.source, Param) for part in parts):
                    settled[place.pointer] = place
    return Resolution(tuple(references), run_texts, compiled, whole, settled, lost=tuple(lost_ones)), found


def _places(document: Document) -> Iterator[tuple[Task | None, Place]]:
    models: list[Model] = [*document.parameters, *document.volumes, document.defaults, *document.arrows]
    for place in _envelope(document):
        yield None, place
    for model in models:
        for place in texts(model):
            yield None, place
    for task in document.tasks:
        for place in texts(task):
            yield task, place


def _envelope(document: Document) -> Iterator[Place]:
    pipeline = document.pipeline
    for place in texts(pipeline):
        if place.field not in ("parameters", "volumes", "defaults", "tasks", "arrows"):
            yield place


def _reference(
    document: Document, names: Mapping[str, str], holder: Task | None, place: Place, expression: Expression
) -> tuple[Reference | None, Diagnostic | None]:
    target = find(document, names, holder, expression)
    if isinstance(target, Diagnostic):
        return None, Diagnostic(
            target.code,
            target.message,
            place.pointer,
            target.help,
            target.related,
            within=(expression.start, expression.end),
        )
    if target is not None and target.task and place.pointer[:1] == ("defaults",):
        message = f"the defaults hold for `{target.task}` too, which would wait for itself"
        help_ = "say it in the tasks that need it"
        return None, Diagnostic("K312", message, place.pointer, help_, within=(expression.start, expression.end))
    if target is None:  # names something that could not be read: said already
        return None, None
    if place.takes is Takes.COMPILE and not isinstance(target.source, Param) and not target.known_item:
        message = (
            f"{expression.text} is known only at run time, and `{_field_name(place)}` must be known at compile time"
        )
        help_ = "only parameters with a default (or --set), and items of a list in the document, can stand here"
        return None, Diagnostic("K303", message, place.pointer, help_, within=(expression.start, expression.end))
    return Reference(place, expression, target, holder.id if holder else ""), None


def _compile(document: Document, place: Place, parts: list[Any], known: Known) -> tuple[str | None, list[Diagnostic]]:
    """The text; None where a default in it is wrong, which is said there."""
    texts_, problems = [], []
    for part in parts:
        if isinstance(part, str):
            texts_.append(part)
            continue
        name, expression = part.expression.name, part.expression
        if part.expression.root != "params":
            texts_.append(expression.text)  # an item: put in when the iteration is expanded
        elif _is_wrong(parameter(document, name), document, known):
            return None, []
        elif name in known:
            texts_.append(as_text(known[name]))
        else:
            problems.append(
                Diagnostic(
                    "K304",
                    f"the parameter `{name}` has no value at compile time, and `{_field_name(place)}` needs one",
                    place.pointer,
                    f"give it a default, or compile with `--set {name}=...`",
                    within=(expression.start, expression.end),
                )
            )
    return "".join(texts_), problems


def _is_wrong(declared: Parameter | None, document: Document, known: Known) -> bool:
    if declared is None or document.is_torn(declared.place("default")):
        return True
    return declared.name in known and any(value_problems(known[declared.name], declared))


def as_text(value: Any) -> str:
    """A value as text in a string: KFP's launcher does the same (launcher_v2.go, getPlaceholders)."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e21 else _plain(value)
        case _:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _plain(value: float) -> str:
    from decimal import Decimal

    return format(Decimal(repr(value)), "f")


def _field_name(place: Place) -> str:
    return next((str(part) for part in reversed(place.pointer) if isinstance(part, str)), "")


def _not_here(place: Place, holder: Task | None) -> Diagnostic:
    first = next((piece for piece in parse(place.text) if not isinstance(piece, str)), None)
    start = first.start if first else place.text.index("{{")
    end = first.end if first else start + 2
    model: type[Model] = type(holder) if holder else place.model
    taking = [name for name, field_ in fields_by_alias(model).items() if takes(model, field_) is Takes.RUN]
    help_ = "it must be written out here"
    if taking:
        taking += ["env"] if "env" in model.model_fields else []
        help_ += "; references can stand in " + ", ".join(f"`{name}`" for name in taking)
    message = f"no reference can stand in `{alias(place.model, place.field)}`"
    return Diagnostic("K302", message, place.pointer, help_, within=(start, end))


def _misfit(document: Document, place: Place, misfit: Misfit) -> Diagnostic:
    shown = misfit.text if len(misfit.text) <= 60 else misfit.text[:57] + "..."
    meant = _meant(document, misfit.text.strip("{} "))
    help_ = f"did you mean `{{{{{meant}}}}}`?" if meant else "one is written {{params.NAME}}, {{tasks.ID.outputs.NAME}}"
    help_ += " For a literal `{{` write `{{{{`" if meant else "; for a literal `{{` write `{{{{`"
    return Diagnostic("K300", f"`{shown}` is not a reference", place.pointer, help_, within=(misfit.start, misfit.end))


def _meant(document: Document, inner: str) -> str:
    """The reference that was probably meant, without its braces, or nothing."""
    parts = inner.split(".")
    if parameter(document, inner) is not None:
        return f"params.{inner}"
    if parts[0] == "tasks" and len(parts) == 3:
        if parts[2] in ("outputs", "metrics", "values"):  # the name in it is missing
            return f"tasks.{parts[1]}.{parts[2]}.{'KEY' if parts[2] == 'metrics' else 'NAME'}"
        return f"tasks.{parts[1]}.outputs.{parts[2]}"
    if parts[0] == "run" and len(parts) == 2:
        return f"run.{closest(parts[1], ('id', 'name', 'status')) or 'id'}"
    root = closest(parts[0], ("params", "tasks", "item", "run")) if len(parts) > 1 else None
    guess = ".".join([root, *parts[1:]]) if root else ""
    if guess and isinstance(parse("{{" + guess + "}}")[0], Expression):
        return guess
    # As other tools have it: {{ .params.NAME }}, {{ .Values.NAME }}, {{inputs.parameters.NAME}}.
    return f"params.{parts[-1]}" if len(parts) > 1 and parameter(document, parts[-1]) is not None else ""


def parameter(document: Document, name: str) -> Parameter | None:
    """The pipeline's parameter of that name."""
    return next((one for one in document.parameters if one.name == name), None)
