"""From a file to diagnostics, a plan, or compiled YAML: the passes in their order.

This is what the commands call, and what a program may call instead of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kade2kfp.checks import CHECKS, PLAN_CHECKS
from kade2kfp.diagnostics.model import Diagnostic, Related, Span
from kade2kfp.diagnostics.severity import errors
from kade2kfp.document.read import Document, read
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.values import default_problem, problems
from kade2kfp.plan.analysis import Analysis, analyse
from kade2kfp.plan.build import build
from kade2kfp.source import Source, read_file, read_source
from kade2kfp.steps.model import Plan
from kade2kfp.tasks import TASK_TYPES

Format = Literal["ir", "pipelineversion"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A document that was checked: all that is wrong with it, and its plan where nothing is."""

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    analysis: Analysis | None = None
    plan: Plan | None = None

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings there may be."""
        return not errors(list(self.diagnostics))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A document that was compiled: the YAML where it has no error."""

    checked: Checked
    yaml: str | None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that is wrong with the document."""
        return self.checked.diagnostics


def load(path: str | Path) -> Source:
    """Read a file. What is wrong with it is among the source's diagnostics."""
    return read_file(path)


def parse(text: str | bytes, file: str = "-") -> Source:
    """Read a document that is in memory already; `file` is what diagnostics call it."""
    return read_source(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, file)


def validate(source: Source, *, folder: str | Path | None = None, values: Mapping[str, Any] | None = None) -> Checked:
    """Check a document.

    Args:
        source: what `load` or `parse` gave.
        folder: where the files are that the document names as `source`; None does not look for them.
        values: values of parameters, in place of their defaults.
    """
    document, found = read(source, TASK_TYPES)
    if document is None:
        return Checked(source, source.diagnostics)
    given, wrong = _given(document, values or {})
    analysis, unresolved = analyse(document, given, Path(folder) if folder is not None else None)
    meant = [*wrong, *unresolved]
    for check in CHECKS:
        meant += check(analysis)
    found += (one for one in meant if not _about_a_stand_in(document, one))
    plan = None
    if not errors([*source.diagnostics, *found]):
        plan = build(analysis)
        for plan_check in PLAN_CHECKS:
            found += plan_check(plan, analysis)
    diagnostics = _located(source, document, [*source.diagnostics, *found])
    return Checked(source, diagnostics, analysis, plan if not errors(list(diagnostics)) else None)


def compile(
    source: Source,
    *,
    folder: str | Path | None = None,
    values: Mapping[str, Any] | None = None,
    format: Format = "ir",
) -> Compiled:
    """Check a document and lower it into Kubeflow Pipelines v2, as `validate` takes it.

    `format` is `ir` for KFP's pipeline YAML, or `pipelineversion` for its Kubernetes-native manifests.
    """
    checked = validate(source, folder=folder, values=values)
    if checked.plan is None or checked.analysis is None:
        return Compiled(checked, None)
    checked = _with(checked, _not_on_a_cluster(checked.analysis))
    if checked.plan is None:
        return Compiled(checked, None)
    from kade2kfp.lowering import lower  # imports kfp, which takes a second

    return Compiled(checked, lower(checked.plan, format=format))


def for_a_run(checked: Checked) -> Checked:
    """A checked document with what else stands in the way of running it on this machine; without a plan where something does.

    Every parameter that is required has a value by then (K702).
    """
    if checked.plan is None or checked.analysis is None:
        return checked
    document = checked.analysis.document
    missing = [
        Diagnostic(
            "K702", f"the parameter `{one.name}` has no value", one.place("name"), f"give it by --set {one.name}=..."
        )
        for one in document.parameters
        if one.name not in checked.analysis.known
    ]
    return _with(checked, missing)


def also(checked: Checked, found: Iterable[Diagnostic]) -> Checked:
    """A checked document with more diagnostics, each with its place in the text; its plan stays."""
    if checked.analysis is None:
        return checked
    located = _located(checked.source, checked.analysis.document, [*checked.diagnostics, *found])
    return replace(checked, diagnostics=located)


def _with(checked: Checked, found: Iterable[Diagnostic]) -> Checked:
    more = also(checked, found)
    return more if more.ok else replace(more, plan=None)


def _given(document: Document, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The values that fit, and what is wrong with the others."""
    fitting, found = {}, []
    for name, value in values.items():
        parameter = next((one for one in document.parameters if one.name == name), None)
        if parameter is None:
            if not document.may_have("parameters", name):
                help_ = did_you_mean(name, [one.name for one in document.parameters], noun="parameters")
                found.append(
                    Diagnostic("K301", f"there is no parameter `{name}` to set", ("parameters",), help_, on_key=True)
                )
            continue
        problem = next(problems(value, parameter), "") or default_problem(value)
        if problem:
            found.append(
                Diagnostic(
                    "K241",
                    f"the value given for `{name}` does not fit: {problem}",
                    parameter.at,
                    "give another one",
                )
            )
        else:
            fitting[name] = value
    return fitting, found


def _not_on_a_cluster(analysis: Analysis) -> Iterable[Diagnostic]:
    """K607: what no cluster can carry out."""
    for task in analysis.document.tasks:
        if getattr(task, "scheme", "") == "file":
            help_ = "serve it by http, or put it into an object store; file:// is for `kade2kfp run`"
            yield Diagnostic("K607", "a cluster cannot read file://", task.place("url"), help_)


def _about_a_stand_in(document: Document, one: Diagnostic) -> bool:
    """Whether it is about what was put in the place of a missing field."""
    places = [one.pointer, *(related.pointer for related in one.related)]
    return any(place[: len(assumed)] == assumed for place in places for assumed in document.assumed)


def _located(source: Source, document: Document, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each diagnostic with its place in the text, in the order of the text, none twice."""
    kept: dict[tuple[Any, ...], Diagnostic] = {}
    for one in found:
        span = one.span or source.span(one.pointer, on_key=one.on_key, within=one.within)
        span = span if one.on_key or one.within else _narrow(source, span)
        related = tuple(replace(r, span=r.span or source.span(r.pointer, on_key=r.on_key)) for r in one.related)
        located = replace(one, file=source.file, span=span, related=related)
        kept.setdefault((one.code, one.message, one.pointer, span), located)
    return tuple(sorted(kept.values(), key=_order))


def _narrow(source: Source, span: Span | None) -> Span | None:
    """Of an object or list only its opening bracket: the whole of it says nothing."""
    if span and source.line(span.line)[span.column - 1 : span.column] in ("{", "["):
        return Span(span.line, span.column, span.line, span.column + 1)
    return span


def _order(one: Diagnostic) -> tuple[Span, str, str]:
    return (one.span or Span(0, 0, 0, 0), one.code, one.message)


__all__ = ["Checked", "Compiled", "Related", "compile", "load", "parse", "validate"]
