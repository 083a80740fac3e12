"""From a file to diagnostics, a plan, or compiled YAML: the passes in their order.

This is what the commands call, and what a program may call instead of them, by `import kade2kfp` (docs/python.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kade2kfp.checks import CHECKS, PLAN_CHECKS
from kade2kfp.diagnostics.model import Diagnostic, Related, Span
from kade2kfp.diagnostics.severity import errors
from kade2kfp.document.read import Document, read
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.values import default_problem, no_json, problems
from kade2kfp.files import replace_file
from kade2kfp.plan.analysis import Analysis, analyse
from kade2kfp.plan.build import build
from kade2kfp.rules import asked
from kade2kfp.rules.mirror import mirrored
from kade2kfp.rules.model import Rules
from kade2kfp.rules.shown import kept, without_doubles
from kade2kfp.source import Source, read_file, read_source
from kade2kfp.steps.model import Plan
from kade2kfp.tasks import TASK_TYPES

if TYPE_CHECKING:
    from kade2kfp.description.model import Description
    from kade2kfp.graph.model import Direction, Graph
    from kade2kfp.graph.palette import Theme

Format = Literal["ir", "pipelineversion"]
NO_RULES = Rules()


class DocumentError(ValueError):
    """A document with errors, of which nothing can be made. Its text tells all of them, as `validate` does."""

    def __init__(self, checked: Checked) -> None:
        super().__init__(str(checked))
        self.diagnostics = checked.diagnostics


@dataclass(frozen=True, slots=True, repr=False)
class Checked:
    """A document that was checked: all that is wrong with it, and its plan where nothing is. As a text it tells that.

    By the rules given: diagnostics that they leave out are not there, and images of the plan come from their mirrors.
    """

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    analysis: Analysis | None = None
    plan: Plan | None = None
    rules: Rules = NO_RULES

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings there may be."""
        return not errors(list(self.diagnostics))

    def __repr__(self) -> str:
        """What `kade2kfp validate` says."""
        from kade2kfp.diagnostics.escape import terminal
        from kade2kfp.diagnostics.most import counted, summary
        from kade2kfp.diagnostics.text import render

        if not self.diagnostics:
            return f"{terminal(self.source.file)}: nothing wrong"
        rows = render(self.diagnostics, self.source.line)
        return "\n\n".join([*rows, summary(counted(self.diagnostics))])


@dataclass(frozen=True, slots=True, repr=False)
class Compiled:
    """A document that was compiled: the YAML where it has no error, else None."""

    checked: Checked
    yaml: str | None

    def save(self, path: str | Path) -> None:
        """Write the YAML to a file, which is replaced at once or not at all.

        Raises DocumentError where the document has errors, OSError where the file cannot be written.
        """
        if self.yaml is None:
            raise DocumentError(self.checked)
        replace_file(Path(path), self.yaml)

    def __repr__(self) -> str:
        """What was found, and how much YAML there is."""
        return repr(self.checked) + (f"; {self.yaml.count(chr(10)):,} lines of YAML" if self.yaml else "")

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that is wrong with the document."""
        return self.checked.diagnostics


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A pipeline's graph, and where it leads. A notebook shows it."""

    graph: Graph
    direction: Direction = "auto"

    def svg(self, theme: Theme = "auto") -> str:
        """An SVG of its own; `auto` is light or dark as its reader wants. Raises ValueError for another word."""
        from kade2kfp.graph import as_svg

        if theme not in ("auto", "light", "dark"):  # it becomes part of a page
            raise ValueError(f"no theme: {theme!r}; there are auto, light and dark")
        return as_svg(self.graph, theme, self.direction)

    def mermaid(self) -> str:
        """A Mermaid flowchart, which GitHub draws in Markdown."""
        from kade2kfp.graph import as_mermaid

        return as_mermaid(self.graph, self.direction)

    def dot(self) -> str:
        """A graph for Graphviz."""
        from kade2kfp.graph import as_dot

        return as_dot(self.graph, self.direction)

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        count = len(self.graph.boxes)
        return f"<picture of {count} task{'s' if count != 1 else ''}>"


def load(path: str | Path) -> Source:
    """Read a file. What is wrong with it is among the source's diagnostics."""
    return read_file(path)


def parse(document: str | bytes | Mapping[str, Any], file: str = "-") -> Source:
    """Read a document that is in memory already, as JSON or as a dict; `file` is what diagnostics call it.

    Raises TypeError or ValueError where a dict holds what JSON cannot.
    """
    if isinstance(document, Mapping):
        document = json.dumps(dict(document), indent=2, ensure_ascii=False, allow_nan=False)
    return read_source(document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document, file)


def load_rules(path: str | Path) -> Rules:
    """The team's rules that hold for a document or a folder; empty where there are none (docs/rules.md).

    Raises ValueError where the file of settings is wrong; its text says how.
    """
    from kade2kfp.rules.find import rules_file
    from kade2kfp.rules.read import read_rules

    path = Path(path)
    found = rules_file(path if path.is_dir() else path.parent)
    if found is None:
        return NO_RULES
    rules, source, wrong = read_rules(found)
    if wrong:
        raise DocumentError(Checked(source, tuple(wrong)))
    return rules


def validate(
    source: Source | str | Path,
    *,
    folder: str | Path | None = None,
    values: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
    sources: bool = True,
) -> Checked:
    """Check a document.

    Args:
        source: what `load` or `parse` gave, or a file's path.
        folder: where the files are that the document names as `source`; None is the folder that it was read from.
        values: values of parameters, in place of their defaults.
        rules: a team's rules, as `load_rules` gives them.
        sources: whether to look for those files; without a folder nobody does.
    """
    source = source if isinstance(source, Source) else load(source)
    rules = rules or NO_RULES
    document, found = read(source, TASK_TYPES)
    if document is None:
        return Checked(source, _located(source, [*source.diagnostics, *found]), rules=rules)
    given, wrong = _given(document, values or {})
    lies_in = (folder if folder is not None else source.folder) if sources else None
    analysis, unresolved = analyse(document, given, Path(lies_in) if lies_in is not None else None)
    meant = [*wrong, *unresolved]
    for check in CHECKS:
        meant += check(analysis)
    meant += asked.of_document(analysis, rules)
    found += (one for one in meant if not _about_a_stand_in(document, one))
    plan = None
    if not errors([*source.diagnostics, *found]):
        plan = build(analysis)
        found += asked.of_plan(plan, analysis, rules)
        plan = mirrored(plan, rules.policy)
        for plan_check in PLAN_CHECKS:
            found += plan_check(plan, analysis)
    every = without_doubles([*source.diagnostics, *found])
    diagnostics = _located(source, kept(every, rules))
    return Checked(source, diagnostics, analysis, plan if not errors(list(diagnostics)) else None, rules)


def compile(
    source: Source | str | Path,
    *,
    folder: str | Path | None = None,
    values: Mapping[str, Any] | None = None,
    format: Format = "ir",
    rules: Rules | None = None,
) -> Compiled:
    """Check a document and lower it into Kubeflow Pipelines v2, as `validate` takes it.

    `format` is `ir` for KFP's pipeline YAML, or `pipelineversion` for its Kubernetes-native manifests; raises ValueError
    for another word.
    """
    if format not in ("ir", "pipelineversion"):
        raise ValueError(f"no format: {format!r}; there are ir and pipelineversion")
    checked = validate(source, folder=folder, values=values, rules=rules)
    if checked.plan is None or checked.analysis is None:
        return Compiled(checked, None)
    checked = _with(checked, _not_on_a_cluster(checked.analysis))
    if checked.plan is None:
        return Compiled(checked, None)
    from kade2kfp.lowering import lower  # imports kfp, which takes a second

    return Compiled(checked, lower(checked.plan, format=format))


def describe(
    source: Source | str | Path,
    *,
    folder: str | Path | None = None,
    values: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
) -> Description:
    """What a pipeline is and needs: tasks, settings and where they come from, images, volumes, secrets, its size.

    Raises DocumentError where the document has errors.
    """
    from kade2kfp.description.build import description

    checked = validate(source, folder=folder, values=values, rules=rules)
    if checked.plan is None or checked.analysis is None:
        raise DocumentError(checked)
    return description(checked.source, checked.analysis, checked.plan, mirrored=bool(checked.rules.policy.mirror))


def draw(
    source: Source | str | Path, *, values: Mapping[str, Any] | None = None, direction: Direction = "auto"
) -> Picture:
    """A picture of a document, also of one with errors as far as it can be read.

    It leads to the `right`, or `down`; `auto` is one of them, by its shape. Raises ValueError for another word, and
    DocumentError where no task can be read.
    """
    from kade2kfp.graph import graph_of

    if direction not in ("auto", "right", "down"):
        raise ValueError(f"no direction: {direction!r}; there are auto, right and down")
    checked = validate(source, values=values)
    if checked.analysis is None or not checked.analysis.document.tasks:
        raise DocumentError(checked)
    return Picture(graph_of(checked.analysis), direction)


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
    """A checked document with more diagnostics, those that its rules keep, each with its place in the text; its plan stays."""
    if checked.analysis is None:
        return checked
    every = kept([*checked.diagnostics, *found], checked.rules)
    located = _located(checked.source, every)
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
        problem = no_json(value) or next(problems(value, parameter), "") or default_problem(value)
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
    return any(place[:length] in document.assumed for place in places for length in range(len(place) + 1))


def _located(source: Source, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
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


__all__ = [
    "Checked",
    "Compiled",
    "DocumentError",
    "Picture",
    "Related",
    "compile",
    "describe",
    "draw",
    "load",
    "load_rules",
    "parse",
    "validate",
]
