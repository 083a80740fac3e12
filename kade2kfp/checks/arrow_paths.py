"""What arrows carry fits together."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.regions import opposite, regions

_OWN_PATH = {"loadData": "path", "select": "path"}


def arrow_paths(analysis: Analysis) -> Iterator[Diagnostic]:
    """K323: two arrows into one path. K325: a directory into a file. K326: outside a task's path. K333: two kinds or volumes."""
    into: dict[tuple[str, str], list[Flow]] = {}
    out: dict[tuple[str, str], Flow] = {}
    for flow in analysis.flows:
        if flow.order_only or flow.giver is flow.taker:
            continue
        if flow.from_kind == "directory" and flow.to_kind == "file":
            help_ = 'name a folder as toPath, or say "kind": "file" if fromPath is a file'
            yield Diagnostic(
                "K325",
                f"the directory {flow.from_path} cannot become the file {flow.arrow.to_path}",
                flow.arrow.place("to_path"),
                help_,
            )
        yield from _outside(flow)
        if flow.taker.type != "select":
            into.setdefault((flow.taker.id, flow.to_path), []).append(flow)
        first = out.setdefault((flow.giver.id, flow.from_path), flow)
        if first.kind != flow.kind:
            related = Related(f"a {first.kind} here", first.arrow.place("from_path"))
            yield Diagnostic(
                "K333",
                f"{flow.from_path} of `{flow.giver.id}` is a {flow.kind} here, and a {first.kind} elsewhere",
                flow.arrow.place("from_path"),
                "give both arrows the same `kind`",
                (related,),
            )
        elif first.volume and flow.volume and first.volume != flow.volume:
            related = Related(f"on `{first.volume}` here", first.arrow.place("from_path"))
            yield Diagnostic(
                "K333",
                f"{flow.from_path} of `{flow.giver.id}` cannot lie on two volumes",
                flow.arrow.place("from_path"),
                "carry both arrows by one volume",
                (related,),
            )
    branches = regions(analysis) if any(len(meeting) > 1 for meeting in into.values()) else {}
    # Which arrows leave branches is not known where some arrow or condition could not be read.
    document = analysis.document
    whole = document.arrows_are_whole and not document.is_torn(("arrows",)) and not document.damaged["tasks"]
    for (id_, path), meeting in into.items():
        if not whole and any(arrow.branch for arrow in document.arrows):
            continue
        met = True
        for flow in meeting[1:]:
            if any(not opposite(branches, flow, other) for other in meeting if other is not flow):
                related = Related("the first arrow into it", meeting[0].arrow.place("to_path"))
                help_ = "give each its own path; only arrows from opposite branches of one condition, or into a select, may meet"
                yield Diagnostic(
                    "K323",
                    f"two arrows lead into {path} of `{id_}`",
                    flow.arrow.place("to_path"),
                    help_,
                    (related,),
                )
                met = False
        if met:
            yield from _joined(id_, path, meeting)


def _joined(id_: str, path: str, meeting: list[Flow]) -> Iterator[Diagnostic]:
    """Arrows of opposite branches into one path bring one kind of thing."""
    first = meeting[0]
    for flow in meeting[1:]:
        for mine, other, field in ((flow.kind, first.kind, "kind"), (flow.type, first.type, "artifactType")):
            if mine != other and not (field == "artifactType" and (flow.volume or first.volume)):
                related = Related(f"{other} here", first.arrow.place("to_path"))
                message = f"two branches bring different things into {path} of `{id_}`: {mine} here, {other} elsewhere"
                help_ = f"give both arrows the same `{field}`"
                yield Diagnostic("K333", message, flow.arrow.place("to_path"), help_, (related,))
                break


def _outside(flow: Flow) -> Iterator[Diagnostic]:
    ends = (
        (flow.giver, "from_path", flow.from_path, "path"),
        (flow.taker, "to_path", flow.arrow.to_path or "", "log_path"),
    )
    for task, end, path, field in ends:
        if (end == "from_path" and task.type in _OWN_PATH) or (end == "to_path" and task.type == "viewer"):
            own = getattr(task, field)
            if not inside(path, own) and "{{" not in own + path:
                name = task.place(field)[-1]
                message = f"{path} lies outside {own}, the `{name}` of `{task.id}`"
                yield Diagnostic(
                    "K326",
                    message,
                    flow.arrow.place(end),
                    f"name {own} or a path in it",
                    (Related(f"its `{name}`", task.place(field)),),
                )
