"""Iterations: what is repeated, for what."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document
from kade2kfp.document.references import Misfit, parse
from kade2kfp.document.shared import Task
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.values import run_time_problem, same, strings
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import parallelism
from kade2kfp.plan.turns import MAX_ITEMS, combinations, is_excluded
from kade2kfp.tasks.condition import Condition
from kade2kfp.tasks.job import ForEach, Job


def iterations(analysis: Analysis) -> Iterator[Diagnostic]:
    """K503: not one of items, matrix, each; or a bad list. K504: `each` names no iteration."""
    document = analysis.document
    told: set[str] = set()
    for task in document.tasks:
        each = getattr(task, "for_each", None)
        if each is None or document.is_torn(each.at):
            continue
        yield from _shape(each)
        yield from _size(each)
        yield from _at_once(analysis, task, each)
        yield from _each(document, task, each, told)


def _shape(each: ForEach) -> Iterator[Diagnostic]:
    given = [field for field in ("items", "matrix", "each") if getattr(each, field) is not None]
    if len(given) != 1:
        what = "nothing to repeat for" if not given else " and ".join(f"`{field}`" for field in given) + " together"
        yield Diagnostic("K503", f"forEach says {what}", each.at, "give exactly one of `items`, `matrix` and `each`")
    if each.exclude is not None and each.matrix is None:
        yield Diagnostic("K503", "`exclude` goes with a matrix", each.place("exclude"), "leave it out")
    if isinstance(each.items, str) and all(isinstance(piece, str) for piece in parse(each.items)):
        yield Diagnostic(
            "K503",
            "`items` is a text",
            each.place("items"),
            "write a list, or one reference to an array: `{{params.grid}}`",
        )
    for field in ("items", "matrix"):
        value = getattr(each, field)
        if value is None or isinstance(value, str) or _said_as_reference(field, value):
            continue
        at = each.place(field)
        if isinstance(value, list):
            at += tuple([i for i, item in enumerate(value) if run_time_problem(item)][:1])
        if any("{{" in text for text in strings(value)):
            help_ = "write the items out, or let one array parameter hold the whole list: `{{params.grid}}`"
            yield Diagnostic("K503", "an item takes no references", at, help_)
        elif problem := run_time_problem(value):
            yield Diagnostic(
                "K503",
                f"an item would not arrive unchanged: {problem}",
                at,
                "write such text into the task itself",
            )


def _at_once(analysis: Analysis, task: Task, each: ForEach) -> Iterator[Diagnostic]:
    at = each.place("parallelism")
    if each.parallelism is None or analysis.document.is_torn(at):
        return
    text = str(each.parallelism)
    if "{{" in text and at not in analysis.resolution.compiled:
        return  # what is wrong with its reference is said there
    if parallelism(analysis, task) < 1:
        message = f"{analysis.resolution.compile_text(at, text)} is out of range: `parallelism` must be at least 1"
        yield Diagnostic("K105", message, at, "leave it out for no limit")


def _said_as_reference(field: str, value: object) -> bool:
    """Whether the pass that resolves references says what is wrong with a `{{` in it."""
    braced = [text for text in strings(value) if "{{" in text]
    if field == "matrix":
        return bool(braced)
    return any(isinstance(piece, Misfit) for text in braced for piece in parse(text))


def _size(each: ForEach) -> Iterator[Diagnostic]:
    if isinstance(each.items, list):
        if not each.items:
            yield Diagnostic(
                "K503", "the list is empty: nothing would run", each.place("items"), "name at least one item"
            )
        elif len(each.items) > MAX_ITEMS:
            yield Diagnostic(
                "K503",
                f"{len(each.items)} items are more than {MAX_ITEMS}",
                each.place("items"),
                "hand the list over at run time: one reference to an array parameter",
            )
    if each.matrix is not None:
        size = prod(len(values) for values in each.matrix.values()) if each.matrix else 0
        excluded = each.exclude or []
        if size == 0:
            empty = [key for key, values in each.matrix.items() if not values][:1]
            message = f"`{empty[0]}` has no values: nothing would run" if empty else "the matrix has no keys"
            yield Diagnostic("K503", message, each.place("matrix", *empty), "give each key at least one value")
        elif size > MAX_ITEMS:
            yield Diagnostic(
                "K503",
                f"the matrix has {size:,} combinations, more than {MAX_ITEMS}",
                each.place("matrix"),
                "take out keys or values",
            )
        elif excluded and all(is_excluded(one, excluded) for one in combinations(each.matrix)):
            yield Diagnostic(
                "K503",
                "all combinations are excluded: nothing would run",
                each.place("exclude"),
                "leave at least one",
            )
        for i, one in enumerate(excluded):
            for key, value in one.items():
                if key not in each.matrix:
                    yield Diagnostic(
                        "K503",
                        f"the matrix has no key `{key}`",
                        each.place("exclude", i, key),
                        did_you_mean(key, each.matrix, noun="keys"),
                        on_key=True,
                    )
                elif not any(same(value, candidate) for candidate in each.matrix[key]):
                    yield Diagnostic(
                        "K503",
                        f"`{key}` never has this value, so nothing is excluded",
                        each.place("exclude", i, key),
                        "name one of its values",
                    )


def _each(document: Document, task: Task, each: ForEach, told: set[str]) -> Iterator[Diagnostic]:
    if isinstance(task, Condition) and each.each is None and (each.items is not None or each.matrix is not None):
        yield Diagnostic(
            "K504",
            "a condition is repeated only inside another task's iteration",
            each.at,
            'say "each" with the id of that task',
        )
    if each.each is None:
        return
    seen, here = {task.id}, document.task(each.each)
    if here is None:
        if not document.may_have("tasks", each.each):
            yield Diagnostic(
                "K504",
                f"there is no task `{each.each}`",
                each.place("each"),
                did_you_mean(each.each, [one.id for one in document.tasks], noun="tasks"),
            )
        return
    while (
        isinstance(here, Job | Condition)
        and here.for_each is not None
        and here.for_each.each is not None
        and here.id not in seen
    ):
        seen.add(here.id)
        following = document.task(here.for_each.each)
        if following is None:
            return
        here = following
    if here.id in seen:
        if told & seen:  # said at the first task of the knot
            return
        told |= seen
        yield Diagnostic(
            "K504",
            "these iterations name one another",
            each.place("each"),
            "one of them must have items of its own",
        )
    elif isinstance(here, Job | Condition) and document.is_torn(here.place("for_each")):
        return
    elif not isinstance(here, Job | Condition) or here.for_each is None:
        yield Diagnostic(
            "K504",
            f"`{here.id}` is not repeated",
            each.place("each"),
            "name a job that has a `forEach` of its own",
        )
