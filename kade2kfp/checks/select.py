"""select has candidates that can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.checks.cycles import waiting
from kade2kfp.checks.mounts import path_problems
from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.regions import regions
from kade2kfp.plan.targets import has_metrics
from kade2kfp.tasks.select import Select

MAX_CANDIDATES = 50
"""KFP gives a step all that it takes in as one argument of a process (backend/src/v2/driver/driver.go, --executor_input),
and Linux ends that at 128 KiB. A candidate is two artifacts, up to 900 bytes each, and up to 350 bytes of the command.
"""


def select(analysis: Analysis) -> Iterator[Diagnostic]:
    """K506: no candidate, or one without metrics. K507 (warning): one candidate alone. K514, K515: see below. K407: its path."""
    document = analysis.document
    for task in document.tasks:
        if not isinstance(task, Select):
            continue
        coming = [flow for flow in analysis.to_task.get(task.id, ()) if not flow.order_only]
        lost = [
            arrow
            for arrow in document.arrows
            if arrow.to_task == task.id and arrow.from_task in document.damaged["tasks"]
        ]
        if not coming and not lost and document.arrows_are_whole:
            yield Diagnostic(
                "K506",
                f"no arrow brings a candidate to `{task.id}`",
                task.at,
                "draw an arrow with paths from each task whose result is a candidate",
            )
        for flow in coming:
            torn = document.is_torn((*flow.giver.at, "metrics"))
            if not has_metrics(flow.giver) and not torn and not _comes_after(analysis, task, flow.giver):
                help_ = f"say in its `metrics` which file holds `{task.metric}`"
                related = (Related(f"`{task.id}` compares `{task.metric}`", task.place("metric")),)
                yield Diagnostic(
                    "K506",
                    f"the candidate `{flow.giver.id}` has no metrics",
                    flow.arrow.place("from_task"),
                    help_,
                    related,
                )
        if len(coming) == 1 and not lost and document.arrows_are_whole and not _is_repeated(document, coming[0].giver):
            yield Diagnostic(
                "K507",
                f"`{task.id}` has one candidate alone",
                task.place("id"),
                "draw arrows from the others, or take the select out",
            )
        yield from path_problems(task.path, task.place("path"))
        yield from _alike(analysis, task, coming)
        yield from _may_be_missing(analysis, task, coming)


def _comes_after(analysis: Analysis, task: Select, giver: Task) -> bool:
    """Whether a candidate takes what the select chose: then an arrow is the wrong way round, which K327 says."""
    edges = waiting(analysis)
    behind, left = {task.id}, [task.id]
    while left:
        following = edges.get(left.pop(), {}).keys() - behind
        behind |= following
        left += following
    return giver.id in behind


def _is_repeated(document: Document, task: Task) -> bool:
    """Whether a task is repeated, or was meant to be: what is wrong with its `forEach` is said there."""
    return getattr(task, "for_each", None) is not None or document.is_torn((*task.at, "forEach"))


def _alike(analysis: Analysis, task: Select, coming: list[Flow]) -> Iterator[Diagnostic]:
    """K514: candidates that cannot take each other's place, or are too many."""
    leaving = [flow for flow in analysis.from_task.get(task.id, ()) if not flow.order_only]
    at_path = task.kind_at_path((flow.from_path, flow.kind) for flow in leaving)
    givers: dict[str, Flow] = {}
    for flow in coming:
        first = givers.setdefault(flow.giver.id, flow)
        if first is not flow:
            yield Diagnostic(
                "K514",
                f"`{flow.giver.id}` is a candidate of `{task.id}` twice, and has one `{task.metric}` for both",
                flow.arrow.place("from_task"),
                "let one arrow bring a folder that holds all of it",
                (Related("the first arrow", first.arrow.place("from_task")),),
            )
        elif flow.kind != coming[0].kind:
            yield Diagnostic(
                "K514",
                f"the candidate `{flow.giver.id}` is a {flow.kind}, and `{coming[0].giver.id}` a {coming[0].kind}",
                flow.arrow.place("from_path"),
                "give all arrows into a select the same `kind`",
                (Related(f"a {coming[0].kind} here", coming[0].arrow.place("from_path")),),
            )
        elif flow is coming[0] and flow.kind == "directory" and at_path == "file":
            yield Diagnostic(
                "K514",
                f"the candidate `{flow.giver.id}` is a directory, and the winner becomes the file {task.path}",
                task.place("path"),
                'name a folder, or say "kind": "directory" on an arrow that leaves there',
                (Related("a directory here", flow.arrow.place("from_path")),),
            )
    number = sum(len(analysis.sweeps.turns.get(flow.giver.id, (None,))) for flow in coming)
    if number > MAX_CANDIDATES:
        yield Diagnostic(
            "K514",
            f"`{task.id}` has {number} candidates, and KFP can hand {MAX_CANDIDATES} to one step",
            task.place("id"),
            "let several selects choose among some of them each, and one among their winners; a repeated task would be several",
        )


def _may_be_missing(analysis: Analysis, task: Select, coming: list[Flow]) -> Iterator[Diagnostic]:
    """K515: a candidate that is made in a branch only, where the select is not in that branch."""
    if not any(one.type == "condition" for one in analysis.document.tasks):
        return
    found = regions(analysis)
    mine = found.get(task.id, frozenset())
    for flow in coming:
        for condition, side in sorted(found.get(flow.giver.id, frozenset()) - mine)[:1]:
            help_ = (
                f"put the select into a branch too; or let a job take what both branches of `{condition}` bring, "
                "by two arrows into one path, and be the candidate"
            )
            yield Diagnostic(
                "K515",
                f"the candidate `{flow.giver.id}` exists only in the {side} branch of `{condition}`, and `{task.id}` joins both",
                flow.arrow.place("from_task"),
                help_,
            )
